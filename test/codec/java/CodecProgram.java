import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import io.temporal.api.common.v1.Payload;
import io.temporal.api.common.v1.Payloads;
import io.temporal.payload.codec.PayloadCodec;
import io.temporal.payload.codec.PayloadCodecException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Encodes or decodes payloads as the Java SDK's encryption sample does. */
public class CodecProgram {
  public static void main(String[] args) throws Exception {
    PayloadCodec codec = new Encryption(System.getenv("CODEC_KEYS"));
    Payloads.Builder given = Payloads.newBuilder();
    JsonFormat.parser().merge(new String(System.in.readAllBytes(), StandardCharsets.UTF_8), given);
    List<Payload> done =
        args[0].equals("encode")
            ? codec.encode(given.getPayloadsList())
            : codec.decode(given.getPayloadsList());
    System.out.println(JsonFormat.printer().print(Payloads.newBuilder().addAllPayloads(done)));
  }

  private static final class Encryption implements PayloadCodec {
    private static final String CIPHER = "AES/GCM/NoPadding";
    private static final ByteString ENCRYPTED = ByteString.copyFromUtf8("binary/encrypted");
    private static final int NONCE_BYTES = 12;
    private static final int TAG_BITS = 128;

    private final Map<String, SecretKey> keys = new HashMap<>();
    private final SecureRandom random = new SecureRandom();
    private String newest;

    Encryption(String lines) {
      for (String line : lines.split(";")) {
        String[] words = line.split(" ");
        newest = words[0];
        keys.put(newest, new SecretKeySpec(Base64.getDecoder().decode(words[1]), "AES"));
      }
    }

    @Override
    public List<Payload> encode(List<Payload> payloads) {
      return payloads.stream().map(this::seal).collect(Collectors.toList());
    }

    @Override
    public List<Payload> decode(List<Payload> payloads) {
      return payloads.stream().map(this::open).collect(Collectors.toList());
    }

    private Payload seal(Payload payload) {
      byte[] nonce = new byte[NONCE_BYTES];
      random.nextBytes(nonce);
      byte[] sealed = run(Cipher.ENCRYPT_MODE, newest, nonce, payload.toByteArray());
      return Payload.newBuilder()
          .putMetadata("encoding", ENCRYPTED)
          .putMetadata("encryption-cipher", ByteString.copyFromUtf8(CIPHER))
          .putMetadata("encryption-key-id", ByteString.copyFromUtf8(newest))
          .setData(ByteString.copyFrom(nonce).concat(ByteString.copyFrom(sealed)))
          .build();
    }

    private Payload open(Payload payload) {
      if (!ENCRYPTED.equals(payload.getMetadataOrDefault("encoding", null))) return payload;
      byte[] data = payload.getData().toByteArray();
      byte[] nonce = Arrays.copyOf(data, NONCE_BYTES);
      String id = payload.getMetadataOrThrow("encryption-key-id").toStringUtf8();
      byte[] sealed = Arrays.copyOfRange(data, NONCE_BYTES, data.length);
      try {
        return Payload.parseFrom(run(Cipher.DECRYPT_MODE, id, nonce, sealed));
      } catch (InvalidProtocolBufferException e) {
        throw new PayloadCodecException(e);
      }
    }

    private byte[] run(int mode, String id, byte[] nonce, byte[] input) {
      try {
        Cipher cipher = Cipher.getInstance(CIPHER);
        cipher.init(mode, keys.get(id), new GCMParameterSpec(TAG_BITS, nonce));
        return cipher.doFinal(input);
      } catch (GeneralSecurityException e) {
        throw new PayloadCodecException(e);
      }
    }
  }
}
