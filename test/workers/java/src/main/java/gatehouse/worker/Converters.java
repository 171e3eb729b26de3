package gatehouse.worker;

import io.temporal.common.converter.CodecDataConverter;
import io.temporal.common.converter.DataConverter;
import io.temporal.common.converter.DefaultDataConverter;
import java.util.List;

/** How payloads go over the wire. */
final class Converters {
  private Converters() {}

  /**
   * The SDK's own converter, or with CODEC=zlib one that changes every payload and hides every failure's words, as
   * encrypting or compressing ones do.
   */
  static DataConverter chosen() {
    var standard = DefaultDataConverter.newDefaultInstance();
    if (!Settings.optional("CODEC", "").equals("zlib")) return standard;
    return new CodecDataConverter(standard, List.of(new ZlibCodec()), true);
  }
}
