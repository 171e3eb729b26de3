import type { DescMessage } from '@bufbuild/protobuf';
import { create, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { GrpcStatus } from '#base/model/grpc-status';
import { messageType } from '#base/proto/api-registry';
import type { ReflectionCatalogue } from './catalogue.ts';

/** grpc.reflection.v1.ServerReflectionRequest, as the library decodes it. */
interface ReflectionRequest {
  readonly host: string;
  readonly messageRequest:
    | {
        readonly case:
          | 'fileByFilename'
          | 'fileContainingSymbol'
          | 'allExtensionNumbersOfType'
          | 'listServices';
        readonly value: string;
      }
    | {
        readonly case: 'fileContainingExtension';
        readonly value: { readonly containingType: string; readonly extensionNumber: number };
      }
    | { readonly case: undefined; readonly value?: undefined };
}

/** The `message_response` of an answer. */
interface Answer {
  readonly case: string;
  readonly value: Record<string, unknown>;
}

/**
 * One answer to one question. v1 and v1alpha differ in their package only, so one pair of types reads both.
 * @param sent files that this stream has had already.
 * @returns undefined where the request is not a ServerReflectionRequest.
 */
export function answerReflection(
  catalogue: ReflectionCatalogue,
  message: Uint8Array,
  sent: Set<string>,
): Uint8Array | undefined {
  const requestType = messageType('grpc.reflection.v1.ServerReflectionRequest');
  let original: MessageShape<DescMessage>;
  try {
    original = fromBinary(requestType, message);
  } catch {
    // The library throws for nothing but malformed bytes here.
    return undefined;
  }
  const request = original as unknown as ReflectionRequest;
  const responseType = messageType('grpc.reflection.v1.ServerReflectionResponse');
  const response = create(responseType, {
    validHost: request.host,
    originalRequest: original,
    messageResponse: answerOf(catalogue, request.messageRequest, sent),
  } as never);
  return toBinary(responseType, response);
}

function answerOf(
  catalogue: ReflectionCatalogue,
  question: ReflectionRequest['messageRequest'],
  sent: Set<string>,
): Answer {
  switch (question.case) {
    case 'fileByFilename':
      return fileAnswer(catalogue, question.value, sent);
    case 'fileContainingSymbol':
      return fileAnswer(catalogue, catalogue.fileOfSymbol(question.value.replace(/^\./, '')), sent);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      return fileAnswer(catalogue, catalogue.fileOfExtension(containingType, extensionNumber), sent);
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = catalogue.extensionNumbers(question.value);
      if (extensionNumber === undefined) return errorAnswer(GrpcStatus.NOT_FOUND, 'unknown type');
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: question.value, extensionNumber },
      };
    }
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: catalogue.services.map((name) => ({ name })) },
      };
    case undefined:
      return errorAnswer(GrpcStatus.INVALID_ARGUMENT, 'the request asks nothing');
  }
}

function fileAnswer(catalogue: ReflectionCatalogue, name: string | undefined, sent: Set<string>): Answer {
  const fileDescriptorProto = name === undefined ? undefined : catalogue.files(name, sent);
  if (fileDescriptorProto === undefined) return errorAnswer(GrpcStatus.NOT_FOUND, 'not found');
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
