/** The search attributes that the further features need in their namespace; Workflows know them too. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const customerKey = defineSearchAttributeKey('Customer', SearchAttributeType.KEYWORD);
export const labelsKey = defineSearchAttributeKey('Labels', SearchAttributeType.KEYWORD_LIST);
export const amountKey = defineSearchAttributeKey('Amount', SearchAttributeType.INT);
