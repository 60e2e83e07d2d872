/* A wall clock that can be set and sped up from outside, for one process and its children; every other clock
 * keeps to the machine. Preloaded (LD_PRELOAD), it reads the shared page that CRASH_CLOCK names:
 * seq, speed in thousandths, and the pair (real, shown) in nanoseconds from which it counts. See clock.py.
 * It also lets the process be traced by others of its user, which some systems allow to nobody but its parent. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct page { volatile int64_t seq, speed, real, shown; };

static struct page *page;
static int (*machine)(clockid_t, struct timespec *);

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("CRASH_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    machine = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) page = found;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
    if (!machine) attach();
    int failed = machine(clock, ts);
    if (failed || !page || !ts || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t seq, speed, real, shown;
    do { /* written by another process: again, until nothing was written meanwhile */
        seq = page->seq;
        __sync_synchronize();
        speed = page->speed, real = page->real, shown = page->shown;
        __sync_synchronize();
    } while (seq & 1 || seq != page->seq);
    int64_t now = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
    now = shown + (int64_t)((__int128)(now - real) * speed / 1000);
    ts->tv_sec = now / 1000000000;
    ts->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (tv) tv->tv_sec = ts.tv_sec, tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) *out = ts.tv_sec;
    return ts.tv_sec;
}
