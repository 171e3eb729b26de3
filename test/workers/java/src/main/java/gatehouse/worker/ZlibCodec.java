package gatehouse.worker;

import com.google.protobuf.ByteString;
import io.temporal.api.common.v1.Payload;
import io.temporal.payload.codec.PayloadCodec;
import io.temporal.payload.codec.PayloadCodecException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.zip.DeflaterInputStream;
import java.util.zip.InflaterInputStream;

/** Changes every payload, where the SDK's own codec leaves those alone that would not get smaller. */
final class ZlibCodec implements PayloadCodec {
  private static final ByteString ENCODING = ByteString.copyFromUtf8("binary/zlib");

  @Override
  public List<Payload> encode(List<Payload> payloads) {
    return payloads.stream()
        .map(
            it ->
                Payload.newBuilder()
                    .putMetadata("encoding", ENCODING)
                    .setData(readAll(new DeflaterInputStream(it.toByteString().newInput())))
                    .build())
        .toList();
  }

  @Override
  public List<Payload> decode(List<Payload> payloads) {
    return payloads.stream().map(ZlibCodec::decodeOne).toList();
  }

  private static Payload decodeOne(Payload payload) {
    if (!ENCODING.equals(payload.getMetadataOrDefault("encoding", null))) return payload;
    try {
      return Payload.parseFrom(readAll(new InflaterInputStream(payload.getData().newInput())));
    } catch (IOException error) {
      throw new PayloadCodecException(error);
    }
  }

  private static ByteString readAll(InputStream stream) {
    try (stream) {
      return ByteString.readFrom(stream);
    } catch (IOException error) {
      throw new PayloadCodecException(error);
    }
  }
}
