// medium CONFIGURATION: runs the air until it is ended. Started in the machine, after its radios exist.
#include <poll.h>
#include <stdio.h>
#include <sys/timerfd.h>

#include "medium.h"

#define FLUSH_EVERY_NS (5 * NS_PER_S)
#define POLL_MS 1000

static void set_timer(int timer, int64_t due_ns) {
    struct itimerspec when = {{0, 0}, {due_ns / NS_PER_S, due_ns % NS_PER_S}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: medium CONFIGURATION\n");
        return 2;
    }
    if (!read_configuration(argv[1])) {
        return 2;
    }
    if (!open_hwsim()) {
        return 1;
    }
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    int64_t flushed_ns = 0;
    begin_channel();
    for (;;) {
        struct pollfd polled[2] = {{hwsim_descriptor(), POLLIN, 0}, {timer, POLLIN, 0}};
        int64_t due_ns = next_due_ns();
        if (due_ns) {
            set_timer(timer, due_ns);
        }
        bool is_due = due_ns && due_ns <= clock_ns();
        poll(polled, due_ns && !is_due ? 2 : 1, is_due ? 0 : POLL_MS);
        // All that has come is taken before it is judged who is first.
        if ((polled[0].revents & POLLIN) && receive_frame()) {
            continue;
        }
        run_channel();
        int64_t now_ns = clock_ns();
        if (now_ns - flushed_ns > FLUSH_EVERY_NS) {
            flushed_ns = now_ns;
            flush_capture();
        }
    }
}
