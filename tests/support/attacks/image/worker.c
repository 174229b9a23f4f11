/* What an intruder does by system calls alone. `worker routine` is what the image does every day; any other word is one step
 * of the suite. Calls that could harm a machine get arguments that the kernel refuses: it sees the call, and does nothing. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *one, *two;

static int copy(const char *from, int to)
{
    char buffer[65536];
    int file = open(from, O_RDONLY);
    for (ssize_t got; (got = read(file, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, got) != got)
            return 1;
    close(file);
    return 0;
}

static int read_whole(int file)
{
    char buffer[4096];
    if (file < 0)
        return 1;
    while (read(file, buffer, sizeof buffer) > 0)
        ;
    return close(file);
}

static int routine(void)
{
    return read_whole(open("/srv/app/config", O_RDONLY));
}

/* A program by its descriptor and an empty path. */
static int step_execveat(void)
{
    char *words[] = {(char *)one, NULL}, *none[] = {NULL};
    int file = open(one, O_PATH);
    return syscall(SYS_execveat, file, "", words, none, AT_EMPTY_PATH);
}

/* A program that is in memory only. */
static int step_memfd_exec(void)
{
    char *words[] = {"sshd", NULL}, *none[] = {NULL};
    int file = syscall(SYS_memfd_create, two, 0);
    copy(one, file);
    return fexecve(file, words, none);
}

/* Code that is in memory only, mapped as a library is. */
static int step_memfd_map(void)
{
    int file = syscall(SYS_memfd_create, one, 0);
    copy("/usr/local/bin/worker", file);
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED;
}

static int step_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY};
    return read_whole(syscall(SYS_openat2, AT_FDCWD, one, &how, sizeof how));
}

/* Under the name of another program, as ps and top show it. */
static int step_comm(void)
{
    prctl(PR_SET_NAME, two);
    return read_whole(open(one, O_RDONLY));
}

static int step_ring(void)
{
    struct io_uring_params params = {0};
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    return ring < 0;
}

/* Opens a file without any of the opening calls. */
static int step_ring_open(void)
{
    struct io_uring_params params = {0};
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0)
        return 1;
    size_t length = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    char *queue = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entry =
        mmap(NULL, 4 * sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entry == MAP_FAILED)
        return 2;
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_OPENAT;
    entry->fd = AT_FDCWD;
    entry->addr = (uintptr_t)one;
    entry->open_flags = O_RDONLY;
    ((unsigned *)(queue + params.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    return syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1;
}

/* Takes hold of a child. */
static int step_ptrace(void)
{
    int child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    long taken = ptrace(PTRACE_SEIZE, child, 0, 0);
    kill(child, 9);
    waitpid(child, NULL, __WALL);
    return taken != 0;
}

static int step_process_vm(int call)
{
    char own[8], other[8];
    struct iovec here = {own, sizeof own}, there = {other, sizeof other};
    return syscall(call, getpid(), &here, 1, &there, 1, 0) < 0;
}

static int step_connect(void)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(two))};
    inet_pton(AF_INET, one, &peer.sin_addr);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return connect(file, (struct sockaddr *)&peer, sizeof peer) && errno != EINPROGRESS;
}

static int step_connect6(void)
{
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(two))};
    inet_pton(AF_INET6, one, &peer.sin6_addr);
    int file = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return connect(file, (struct sockaddr *)&peer, sizeof peer);
}

/* A datagram on a socket that was never connected. */
static int step_datagram(void)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(two))};
    inet_pton(AF_INET, one, &peer.sin_addr);
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    return sendto(file, "x", 1, 0, (struct sockaddr *)&peer, sizeof peer) != 1;
}

static int step_unix(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, one, sizeof name.sun_path - 1);
    int host = socket(AF_UNIX, SOCK_STREAM, 0), guest = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(one);
    if (bind(host, (struct sockaddr *)&name, sizeof name) || listen(host, 1))
        return 1;
    int failed = connect(guest, (struct sockaddr *)&name, sizeof name);
    unlink(one);
    return failed;
}

/* A set-user-id program, by somebody who is nobody. */
static int step_regain(void)
{
    if (setresuid(65534, 65534, 65534))
        return 1;
    execl(one, one, "routine", NULL);
    return 2;
}

static int step_argv(int count, char **words)
{
    /* The text that ps shows is the process's own to write. */
    for (int at = 1; at < count; at++)
        memset(words[at], 0, strlen(words[at]));
    strncpy(words[0], "[kworker]", strlen(words[0]));
    return 0;
}

/* getpid through the gate of 32-bit programs. */
static int step_int80(long number)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return result < 0;
}

static int step_setuid_raw(void)
{
    return syscall(SYS_setresuid, atoi(one), atoi(one), atoi(one));
}

static const struct {
    const char *name;
    int (*act)(void);
} STEPS[] = {
    {"routine", routine},       {"execveat", step_execveat}, {"memfd-exec", step_memfd_exec},
    {"memfd-map", step_memfd_map}, {"openat2", step_openat2}, {"comm", step_comm},
    {"ring", step_ring},        {"ring-open", step_ring_open}, {"ptrace", step_ptrace},
    {"connect", step_connect},  {"connect6", step_connect6}, {"datagram", step_datagram},
    {"unix", step_unix},        {"regain", step_regain},     {"setuid", step_setuid_raw},
};

int main(int count, char **words)
{
    if (count < 2)
        return 64;
    const char *step = words[1];
    one = count > 2 ? strdup(words[2]) : "", two = count > 3 ? strdup(words[3]) : "";
    for (size_t at = 0; at < sizeof STEPS / sizeof *STEPS; at++)
        if (!strcmp(step, STEPS[at].name))
            return STEPS[at].act();
    if (!strcmp(step, "argv"))
        return step_argv(count, words) || read_whole(open(one, O_RDONLY));
    if (!strcmp(step, "int80"))
        return step_int80(atol(one));
    if (!strcmp(step, "process-vm-read"))
        return step_process_vm(SYS_process_vm_readv);
    if (!strcmp(step, "process-vm-write"))
        return step_process_vm(SYS_process_vm_writev);
    if (!strcmp(step, "link"))
        return link(one, two);
    if (!strcmp(step, "symlink"))
        return symlink(one, two);
    if (!strcmp(step, "write"))
        return close(open(one, O_WRONLY | O_CREAT | O_APPEND, 0644));
    if (!strcmp(step, "set-gid"))
        return close(open(one, O_WRONLY | O_CREAT, 0644)) || chmod(one, 02755);
    if (!strcmp(step, "chroot"))
        return chroot("/");
    if (!strcmp(step, "mknod"))
        /* A disk that does not exist. */
        return mknod(one, S_IFBLK | 0600, 241 << 8) ? 1 : unlink(one);
    if (!strcmp(step, "socket")) {
        int family = 0, kind = 0, protocol = 0;
        sscanf(one, "%d.%d.%d", &family, &kind, &protocol);
        return socket(family, kind, protocol) < 0;
    }
    if (!strcmp(step, "leave")) {
        int file = open(one, O_WRONLY);
        return write(file, "0", 1) != 1;
    }
    if (!strcmp(step, "call"))
        /* Every argument is out of bounds: refused, and made. */
        return syscall(atol(one), -1L, -1L, -1L, -1L, -1L, -1L) < 0;
    return 64;
}
