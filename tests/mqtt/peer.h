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

/* A TCP port of 127.0.0.1 that is free now. */
static inline uint16_t peer_free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at));
    CHECK(!getsockname(fd, (struct sockaddr *)&at, &len));
    close(fd);
    return ntohs(at.sin_port);
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
    for (int i = 0; i < 1000; i++) {
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
