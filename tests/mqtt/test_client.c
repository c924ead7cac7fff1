/* tests/mqtt/test_client.c: our client against Debian's mosquitto. */
#include "bed.h"
#include "peer.h"

static pid_t start(uint16_t port)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", port);
    char *argv[] = {"/usr/sbin/mosquitto", "-p", text, NULL};
    return peer_start(argv, port);
}

static bool begin(Bed *bed, pid_t *ret_pid)
{
    bed_begin(bed, NULL);
    bed_broker_close(bed); /* ours is not wanted here */
    bed->port = peer_free_port();
    *ret_pid = start(bed->port);
    if (*ret_pid) return true;
    bed_end(bed);
    return false;
}

TEST(every_quality_through_a_foreign_broker)
{
    Bed bed;
    pid_t broker;
    if (!begin(&bed, &broker)) skip();
    for (uint8_t version = 4; version <= 5; version++) {
        Peer a, b;
        peer_open(&bed, &a, "a", version);
        peer_open(&bed, &b, "b", (uint8_t)(9 - version));
        bed_until(&bed, a.connects && b.connects);
        CHECK_INT(mqtt_client_version(a.client), version);
        peer_subscribe(&b, "t/#", 2);
        peer_subscribe(&a, "t/#", 2); /* its SUBACK says that the broker has got so far */
        for (uint8_t qos = 0; qos < 3; qos++) {
            int before = b.messages;
            peer_publish(&b, "t/x", "hello", qos, false);
            bed_until(&bed, b.messages == before + 1 && b.sent == qos + 1);
            CHECK_INT(b.qos, qos);
            CHECK_TEXT(b.payload, "hello");
        }
        mqtt_client_close(a.client);
        mqtt_client_close(b.client);
    }
    CHECK_INT(peer_stop(broker), 0);
    bed_end(&bed);
}

TEST(hundreds_in_flight_come_once_and_in_order)
{
    Bed bed;
    pid_t broker;
    if (!begin(&bed, &broker)) skip();
    Peer a;
    char text[16], want[2000] = "";
    peer_open(&bed, &a, "a", 5);
    peer_subscribe(&a, "t", 2);
    bed_until(&bed, a.connects);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        peer_publish(&a, "t", text, 2, false);
        size_t len = strlen(want);
        (void)snprintf(want + len, sizeof want - len, "%d ", i);
    }
    bed_until(&bed, a.sent == 300 && a.messages == 300);
    CHECK_TEXT(a.all, want);
    mqtt_client_close(a.client);
    CHECK_INT(peer_stop(broker), 0);
    bed_end(&bed);
}

TEST(a_killed_broker_is_found_again)
{
    Bed bed;
    pid_t broker;
    if (!begin(&bed, &broker)) skip();
    Peer a;
    peer_open(&bed, &a, "a", 5);
    peer_subscribe(&a, "t", 1);
    bed_until(&bed, a.connects == 1);
    CHECK_INT(kill(broker, SIGKILL), 0);
    CHECK_INT(waitpid(broker, NULL, 0), broker);
    bed_until(&bed, !mqtt_client_connected(a.client));
    CHECK(a.reason[0]);
    peer_publish(&a, "t", "kept", 1, false);
    broker = start(bed.port);
    CHECK(broker > 0);
    bed_until(&bed, a.messages == 1 && a.sent == 1);
    CHECK_TEXT(a.payload, "kept");
    mqtt_client_close(a.client);
    CHECK_INT(peer_stop(broker), 0);
    bed_end(&bed);
}

TEST(nobody_there_has_words)
{
    Bed bed;
    bed_begin(&bed, NULL);
    bed_broker_close(&bed);
    bed.port = peer_free_port();
    Peer a;
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.reason[0]);
    CHECK_TEXT(a.reason, "connection refused");
    mqtt_client_close(a.client);
    bed_end(&bed);
}
