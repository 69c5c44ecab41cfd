import java.io.FileReader;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Produces 1, 2, 3, … to a topic until its standard input ends, and prints each number once Kafka has acknowledged it.
 *
 * As fetch-quotes does, it reads its login again after a failure: java Producing SETTINGS TOPIC
 */
class Producing {
    public static void main(String[] arguments) throws Exception {
        KafkaProducer<String, String> producer = null;
        for (long number = 1; System.in.available() == 0; number++) {
            try {
                if (producer == null) {
                    producer = connected(arguments[0]);
                }
                String value = Long.toString(number);
                producer.send(new ProducerRecord<>(arguments[1], value, value)).get(30, TimeUnit.SECONDS);
                System.out.println(value);
                // Others need the processor, too.
                Thread.sleep(20);
            } catch (Exception failure) {
                System.err.println(number + ": " + failure);
                if (producer != null) {
                    producer.close(java.time.Duration.ZERO);
                }
                producer = null;
                // A refused login comes back at once.
                Thread.sleep(100);
            }
        }
        System.exit(0);
    }

    private static KafkaProducer<String, String> connected(String settings) throws Exception {
        Properties properties = new Properties();
        try (FileReader reader = new FileReader(settings)) {
            properties.load(reader);
        }
        properties.put("acks", "all");
        properties.put("max.block.ms", "5000");
        properties.put("delivery.timeout.ms", "20000");
        properties.put("request.timeout.ms", "5000");
        properties.put("reconnect.backoff.max.ms", "200");
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }
}
