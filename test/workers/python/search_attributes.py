"""The search attributes that the further features need in their namespace; Workflows know them too."""

from temporalio.common import SearchAttributeKey

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
LABELS = SearchAttributeKey.for_keyword_list("Labels")
AMOUNT = SearchAttributeKey.for_int("Amount")
