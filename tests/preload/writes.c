/*
 * Kills a process at one of the calls by which it changes files. Loaded with LD_PRELOAD; it stands
 * before the C library's functions of the same names and makes the calls itself, so that it needs
 * nothing of the library's own.
 *
 * LINKAGE_CRASH_FOLDER  calls that change a file or folder in here are counted, no others
 * LINKAGE_CRASH_TRACE   file to which each counted call is added as a line: `call path`
 * LINKAGE_CRASH_AT      number of the call at which the process dies, from 1; 0 for none
 * LINKAGE_CRASH_TORN    if 1, only calls that write bytes are counted, and the process dies when
 *                       half of the bytes are written; else it dies before the call
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OURS __attribute__((visibility("default")))

static const char *folder;
static size_t folder_length;
static int trace = -1;
static unsigned long crash_at;
static int torn;
static atomic_ulong counted;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LINKAGE_CRASH_TRACE");
    const char *at = getenv("LINKAGE_CRASH_AT");
    const char *half = getenv("LINKAGE_CRASH_TORN");
    crash_at = at ? strtoul(at, NULL, 10) : 0;
    torn = half && half[0] == '1';
    if (path)
        trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    folder = getenv("LINKAGE_CRASH_FOLDER");
    folder_length = folder ? strlen(folder) : 0;
}

/* The path within the folder, or NULL if it is elsewhere. */
static const char *within(const char *path) {
    if (!folder_length || strncmp(path, folder, folder_length) != 0)
        return NULL;
    if (path[folder_length] == 0)
        return ".";
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* Counts a call. Whether the process dies in its middle: the caller writes half, then ends it. */
static int step(const char *call, const char *path, int writes) {
    char line[PATH_MAX + 32];
    const char *name = within(path);
    if (!name || (torn && !writes))
        return 0;
    unsigned long number = atomic_fetch_add(&counted, 1) + 1;
    if (crash_at && number > crash_at)
        for (;;) /* Another thread is dying for all. */
            pause();
    size_t length = 0;
    for (const char *from = call; *from; from++)
        line[length++] = *from;
    line[length++] = ' ';
    for (const char *from = name; *from && length < sizeof line - 1; from++)
        line[length++] = *from;
    line[length++] = '\n';
    if (trace >= 0)
        (void)!syscall(SYS_write, trace, line, length);
    if (!crash_at || number < crash_at)
        return 0;
    if (torn)
        return 1;
    die();
    return 0;
}

static int step_fd(const char *call, int fd, int writes) {
    int before = errno;
    char link[64] = "/proc/self/fd/", path[PATH_MAX], digits[16];
    int count = 0, at = strlen(link), dies = 0;
    for (unsigned left = fd < 0 ? 0 : fd; !count || left; left /= 10)
        digits[count++] = '0' + left % 10;
    while (count)
        link[at++] = digits[--count];
    link[at] = 0;
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        dies = step(call, path, writes);
    }
    errno = before;
    return dies;
}

/* Writes half of `parts` at `at`, or where the file stands if that is negative, and ends. */
static void tear(int fd, const struct iovec *parts, int count, off_t at) {
    size_t left = 0;
    for (int part = 0; part < count; part++)
        left += parts[part].iov_len;
    left /= 2;
    for (int part = 0; part < count && left; part++) {
        size_t length = parts[part].iov_len < left ? parts[part].iov_len : left;
        if (at < 0) {
            (void)!syscall(SYS_write, fd, parts[part].iov_base, length);
        } else {
            (void)!syscall(SYS_pwrite64, fd, parts[part].iov_base, length, at);
            at += length;
        }
        left -= length;
    }
    die();
}

OURS ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    if (step_fd("write", fd, 1))
        tear(fd, &part, 1, -1);
    return syscall(SYS_write, fd, bytes, length);
}

OURS ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    struct iovec part = {(void *)bytes, length};
    if (step_fd("pwrite", fd, 1))
        tear(fd, &part, 1, at);
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}

OURS ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return pwrite64(fd, bytes, length, at);
}

OURS ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (step_fd("writev", fd, 1))
        tear(fd, parts, count, -1);
    return syscall(SYS_writev, fd, parts, count);
}

OURS ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
    if (step_fd("pwritev", fd, 1))
        tear(fd, parts, count, at);
    return syscall(SYS_pwritev, fd, parts, count, at, 0L);
}

OURS ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return pwritev64(fd, parts, count, at);
}

OURS int fsync(int fd) {
    step_fd("fsync", fd, 0);
    return syscall(SYS_fsync, fd);
}

OURS int fdatasync(int fd) {
    step_fd("fdatasync", fd, 0);
    return syscall(SYS_fdatasync, fd);
}

OURS int ftruncate64(int fd, off_t length) {
    step_fd("ftruncate", fd, 0);
    return syscall(SYS_ftruncate, fd, length);
}

OURS int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    /* Opening changes something where it makes or empties a file. */
    int makes = (flags & O_CREAT) && syscall(SYS_faccessat, at, path, F_OK) != 0;
    if (makes || (flags & O_TRUNC))
        step("open", path, 0);
    return syscall(SYS_openat, at, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

OURS int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}

/* The same on 64 bits. */
OURS int open(const char *path, int flags, ...) __attribute__((alias("open64")));

OURS int rename(const char *from, const char *to) {
    step("rename", to, 0);
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

OURS int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    step("link", to, 0);
    return syscall(SYS_linkat, from_at, from, to_at, to, flags);
}

OURS int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

OURS int unlink(const char *path) {
    step("unlink", path, 0);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

OURS int rmdir(const char *path) {
    step("rmdir", path, 0);
    return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

OURS int mkdir(const char *path, mode_t mode) {
    step("mkdir", path, 0);
    return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
