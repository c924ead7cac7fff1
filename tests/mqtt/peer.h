/* tests/mqtt/peer.h: foreign programs as peers of a test: started, waited for, stopped by pid. */
#ifndef TUTTI_TESTS_MQTT_PEER_H
#define TUTTI_TESTS_MQTT_PEER_H

#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A socket bound to the port; -1 when it is taken. */
static inline int peer_bind(int type, uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (!bind(fd, (struct sockaddr *)&at, sizeof at)) return fd;
    close(fd);
    return -1;
}

/* A TCP port of 127.0.0.1 for a program that comes and goes: below those the system gives to
 * clients, and kept from other tests by a UDP socket of the same number, as long as this process
 * lives (tests/e2e/lib.mjs does the same). */
static inline uint16_t peer_free_port(void)
{
    enum { BEGIN = 10000, COUNT = 20000, STEP = 7919 };
    for (int i = 0; i < COUNT; i++) {
        uint16_t port = (uint16_t)(BEGIN + ((long)getpid() * 31 + (long)i * STEP) % COUNT);
        int claim = peer_bind(SOCK_DGRAM, port);
        int probe = claim < 0 ? -1 : peer_bind(SOCK_STREAM, port);
        if (probe >= 0) {
            close(probe);
            return port;
        }
        if (claim >= 0) close(claim);
    }
    fail_msg("no port is free");
    return 0;
}

static inline bool peer_listens(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = !connect(fd, (struct sockaddr *)&at, sizeof at);
    close(fd);
    return up;
}

/* Starts argv[0] and waits until the port accepts; 0 when the program is not installed. */
static inline pid_t peer_start(char *const argv[], uint16_t port)
{
    pid_t pid;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)) return 0;
    for (int i = 0; i < 6000; i++) {
        if (peer_listens(port)) return pid;
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid) return 0;
        (void)poll(NULL, 0, 10);
    }
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return 0;
}

static inline int peer_stop(pid_t pid)
{
    int status = 0;
    if (pid <= 0) return 0;
    kill(pid, SIGTERM);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
