/* Preloaded into the programs of a container: their clock is off by as many seconds as OFFSET says.
 *
 * libfaketime is what one would take. It cannot be loaded beside jemalloc, which asks for the time while the library is
 * still looking for the functions that it stands in for, so redis would not start. This asks the kernel instead, and
 * nobody's libraries. Times of files are off as far, or a server would think that its children had died long ago. What waits
 * until an absolute time (clock_nanosleep, sem_timedwait) goes by the machine's clock. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char OFFSET[] = "/etc/clock-offset";

/* A sign and digits. */
static long read_offset(void)
{
    char text[32];
    int kept = errno;
    int file = syscall(SYS_openat, AT_FDCWD, OFFSET, O_RDONLY | O_CLOEXEC);
    long length = file < 0 ? 0 : syscall(SYS_read, file, text, sizeof text);
    long seconds = 0;
    if (file >= 0)
        syscall(SYS_close, file);
    for (long at = 1; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        seconds = seconds * 10 + (text[at] - '0');
    errno = kept;
    return length > 0 && text[0] == '-' ? -seconds : seconds;
}

/* Read again once a second. Threads may do so at the same time: both read the same. */
static long offset(void)
{
    static volatile long read_at = -1, seconds;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (read_at != now.tv_sec) {
        seconds = read_offset();
        read_at = now.tv_sec;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    if (result == 0)
        *now = (struct timeval){.tv_sec = exact.tv_sec, .tv_usec = exact.tv_nsec / 1000};
    return result;
}

time_t time(time_t *result)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

static int shifted(long result, struct stat *status)
{
    if (result == 0) {
        long seconds = offset();
        status->st_atim.tv_sec += seconds;
        status->st_mtim.tv_sec += seconds;
        status->st_ctim.tv_sec += seconds;
    }
    return result;
}

int stat(const char *restrict path, struct stat *restrict status)
{
    return shifted(syscall(SYS_stat, path, status), status);
}

int lstat(const char *restrict path, struct stat *restrict status)
{
    return shifted(syscall(SYS_lstat, path, status), status);
}

int fstat(int file, struct stat *status)
{
    return shifted(syscall(SYS_fstat, file, status), status);
}

int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
    return shifted(syscall(SYS_newfstatat, directory, path, status, flags), status);
}

/* On x86-64 both are laid out alike. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one layout");
int stat64(const char *restrict path, struct stat64 *restrict status)
    __attribute__((alias("stat")));
int lstat64(const char *restrict path, struct stat64 *restrict status)
    __attribute__((alias("lstat")));
int fstat64(int file, struct stat64 *status) __attribute__((alias("fstat")));
int fstatat64(int directory, const char *restrict path, struct stat64 *restrict status, int flags)
    __attribute__((alias("fstatat")));
