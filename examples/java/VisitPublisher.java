import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import static java.nio.charset.StandardCharsets.UTF_8;

/** Publishes visits to Vigie. Standard input: one JSON object a line, with user, uai, service, profile and, where a line may be sent again, id. */
public final class VisitPublisher {
    public static void main(String[] args) throws Exception {
        if (args.length != 3) stop("usage: VisitPublisher SERVERS TOPIC PROJECT < LINES");
        String servers = args[0], topic = args[1], project = args[2];
        byte[] secret = secretOf(Objects.requireNonNullElse(System.getenv("ENT_SECRET"), ""));
        if (secret.length < 16) // short, anybody who knows the user ids could compute the pseudonyms
            stop("ENT_SECRET needs the project's secret, of at least 16 bytes (text, or hex: and hexadecimal digits)");
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        Map<String, Object> config = Map.of(
            "bootstrap.servers", servers, "acks", "all", "enable.idempotence", true, "compression.type", "lz4",
            "buffer.memory", 64L << 20, // events that wait in an outage; then send() blocks for max.block.ms, then fails
            "max.block.ms", 5_000, "delivery.timeout.ms", 120_000, "linger.ms", 30);
        ObjectMapper json = new ObjectMapper();
        AtomicInteger delivered = new AtomicInteger(), failed = new AtomicInteger();
        var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isBlank()) continue;
                JsonNode use;
                try { use = json.readTree(line); } catch (com.fasterxml.jackson.core.JsonProcessingException error) { use = json.missingNode(); }
                if (!use.path("user").isValueNode()) {
                    failed.incrementAndGet();
                    System.err.println("not sent, mend it: " + line);
                    continue;
                }
                String visitor = HexFormat.of().formatHex(mac.doFinal(use.get("user").asText().getBytes(UTF_8)));
                Map<String, Object> event = new LinkedHashMap<>();
                event.put("v", 1);
                event.put("id", use.path("id").asText(UUID.randomUUID().toString())); // the same again for the same event
                event.put("ts", System.currentTimeMillis());
                event.put("project", project);
                for (String name : List.of("uai", "service", "profile")) event.put(name, use.path(name).asText(null));
                event.put("visitor", visitor);
                // The key places the event: Java's own partitioner is murmur2, so nothing is to be set.
                producer.send(new ProducerRecord<>(topic, visitor.getBytes(UTF_8), json.writeValueAsBytes(event)), (done, error) -> {
                    if (error == null) delivered.incrementAndGet();
                    else { failed.incrementAndGet(); System.err.println("keep and send again, with the same id: " + event.get("id") + ": " + error); }
                });
            }
        } // close() waits for what is pending
        System.err.println(delivered + " delivered, " + failed + " failed");
        System.exit(failed.get() == 0 ? 0 : 1);
    }

    /** The bytes of a secret; none where it is not hexadecimal though it says so. */
    private static byte[] secretOf(String text) {
        if (!text.startsWith("hex:")) return text.getBytes(UTF_8);
        try { return HexFormat.of().parseHex(text.substring(4)); } catch (IllegalArgumentException error) { return new byte[0]; }
    }

    private static void stop(String why) {
        System.err.println(why);
        System.exit(2);
    }
}
