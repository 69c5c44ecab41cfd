import java.io.FileReader;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What users may do: java Attempts SETTINGS ACTION[=OBJECT] … [-- SETTINGS ACTION …] …
 *
 * For each action it prints a line `NUMBER ACTION[=OBJECT] allowed`, or with the class of the refusal; NUMBER counts the settings.
 */
class Attempts {
    private static Properties settings;

    public static void main(String[] arguments) throws Exception {
        int user = 0;
        for (Iterator<String> words = List.of(arguments).iterator(); words.hasNext(); user++) {
            settings = new Properties();
            try (FileReader reader = new FileReader(words.next())) {
                settings.load(reader);
            }
            // A refusal that is not told comes as a timeout.
            settings.putAll(Map.of("request.timeout.ms", "3000", "default.api.timeout.ms", "4000", "max.block.ms", "4000"));
            for (String word = ""; words.hasNext() && !"--".equals(word = words.next()); ) {
                System.out.println(user + " " + word + " " + result(word.split("=")));
            }
        }
        System.exit(0);
    }

    private static String result(String[] attempt) {
        try {
            attempt(attempt[0], attempt.length > 1 ? attempt[1] : "");
            return "allowed";
        } catch (ExecutionException wrapped) {
            return wrapped.getCause().getClass().getSimpleName();
        } catch (KafkaException wrapped) {
            // A producer that was refused its id before it sends throws the plain class with the refusal as its cause.
            boolean isPlain = wrapped.getClass() == KafkaException.class && wrapped.getCause() != null;
            return (isPlain ? wrapped.getCause() : wrapped).getClass().getSimpleName();
        } catch (Exception refused) {
            return refused.getClass().getSimpleName();
        }
    }

    private static void attempt(String action, String object) throws Exception {
        switch (action) {
            case "produce" -> {
                try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
                    producer.send(new ProducerRecord<>(object, "key", "value")).get();
                }
            }
            case "consume" -> {
                // TOPIC in GROUP
                String[] words = object.split(" in ");
                Properties all = new Properties();
                all.putAll(settings);
                all.putAll(Map.of("group.id", words[1], "auto.offset.reset", "earliest"));
                try (var consumer = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer())) {
                    consumer.subscribe(List.of(words[0]));
                    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
                    while (consumer.poll(Duration.ofMillis(200)).isEmpty()) {
                        if (System.nanoTime() > end) {
                            throw new IllegalStateException("no record came");
                        }
                    }
                    consumer.commitSync();
                }
            }
            default -> administer(action, object);
        }
    }

    private static void administer(String action, String object) throws Exception {
        try (Admin admin = Admin.create(settings)) {
            switch (action) {
                case "describe-topic" -> admin.describeTopics(List.of(object)).allTopicNames().get();
                case "create-topic" -> admin.createTopics(List.of(new NewTopic(object, Optional.of(1), Optional.empty()))).all().get();
                case "delete-topic" -> admin.deleteTopics(List.of(object)).all().get();
                case "describe-cluster-settings" ->
                    admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER, object))).all().get();
                case "read-rights" -> admin.describeAcls(AclBindingFilter.ANY).values().get();
                case "read-users" -> admin.describeUserScramCredentials().all().get();
                default -> throw new IllegalArgumentException(action);
            }
        }
    }
}
