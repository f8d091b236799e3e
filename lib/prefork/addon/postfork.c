// fork(2) of a running Node.js, and the few system calls that a zygote and its workers need besides. Typed in ../native.ts.
//
// The process must run with --v8-pool-size=0 --single-threaded, so that V8 has no threads that a child would miss.

#ifdef __linux__

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAPI_VERSION 8
#include <node_api.h>

// Of libuv, whose header is not in node-api-headers. Node exports its functions.
struct uv_loop_s { // the beginning of uv_loop_t, the same in all of libuv 1.x
  void *data;
  unsigned int active_handles;
  void *handle_queue[2];
  union {
    void *unused;
    unsigned int count;
  } active_reqs;
};
enum { UV_PREPARE = 9 }; // of uv_handle_type
extern size_t uv_handle_size(int type);
extern int uv_prepare_init(struct uv_loop_s *loop, void *handle);
extern int uv_prepare_start(void *handle, void (*callback)(void *handle));
extern void uv_ref(void *handle);
extern void uv_unref(void *handle);
extern int uv_loop_alive(const struct uv_loop_s *loop);
extern int uv_loop_fork(struct uv_loop_s *loop);
extern const char *uv_err_name(int error);
extern const char *uv_strerror(int error);

enum { MAX_SENT = 8 }; // descriptors in one message

// An Error as Node makes them: "EAGAIN: resource temporarily unavailable, fork", with its code. Returns NULL, for return.
static napi_value throw_errno(napi_env env, int error, const char *call) {
  char message[160];
  const bool known = error != ECHILD; // which libuv has no name for
  const char *code = known ? uv_err_name(-error) : "ECHILD";
  snprintf(message, sizeof message, "%s: %s, %s", code, known ? uv_strerror(-error) : "no such child process", call);
  (void)napi_throw_error(env, code, message); // fails only where an exception is pending already
  return NULL;
}

// For a call of Node-API that failed: it has thrown, or does so here. Returns NULL, for return.
static napi_value rethrow(napi_env env, const char *call) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) (void)napi_throw_error(env, "EINVAL", call);
  return NULL;
}

// V8 keeps its heap from children by MADV_DONTFORK, the flag `dc` of smaps (proc(5)). No JavaScript may run between this and
// fork(2): a page that it allocates would be missing in the child.
static bool share_heap(void) {
  FILE *const smaps = fopen("/proc/self/smaps", "re");
  if (smaps == NULL) return false;
  char *line = NULL;
  size_t size = 0;
  unsigned long start = 0, end = 0;
  bool ok = true;
  while (ok && getline(&line, &size, smaps) > 0) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
      start = from;
      end = to;
    } else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dc") != NULL) {
      // EINVAL: a device's memory. ENOMEM: another thread has unmapped it meanwhile. Neither is V8's heap of this thread.
      ok = madvise((void *)start, end - start, MADV_DOFORK) == 0 || errno == EINVAL || errno == ENOMEM;
    }
  }
  const int error = ok && ferror(smaps) ? EIO : errno;
  ok = ok && !ferror(smaps);
  free(line);
  fclose(smaps);
  errno = error;
  return ok;
}

static void fail_in_child(const char *what, int error) {
  dprintf(STDERR_FILENO, "postfork: %s in a forked child: %s\n", what, strerror(error));
  _exit(1);
}

// Descriptor 1 or 2 of the child. Blocking, for what is written before an exit must have left by then.
static void take_stdio(int fd, int number) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 || dup2(fd, number) < 0) fail_in_child("dup2", errno);
}

// 1 and not 0: both forbid a core file, but a core_pattern that is a program is run at 0, and not at 1 (core(5)).
static void forbid_core(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
  (void)setrlimit(RLIMIT_CORE, &limit);
}

// The first arguments of a call, all integers. False with an exception pending.
static bool get_ints(napi_env env, napi_callback_info info, int32_t *values, size_t wanted) {
  napi_value arguments[3];
  size_t count = wanted;
  bool ok = napi_get_cb_info(env, info, &count, arguments, NULL, NULL) == napi_ok && count >= wanted;
  for (size_t i = 0; ok && i < wanted; i++) ok = napi_get_value_int32(env, arguments[i], &values[i]) == napi_ok;
  if (!ok) (void)rethrow(env, "EINVAL: the arguments must be integers");
  return ok;
}

static napi_value int_array(napi_env env, const int *values, size_t count) {
  napi_value array;
  bool ok = napi_create_array_with_length(env, count, &array) == napi_ok;
  for (size_t i = 0; ok && i < count; i++) {
    napi_value number;
    ok = napi_create_int32(env, values[i], &number) == napi_ok &&
         napi_set_element(env, array, (uint32_t)i, number) == napi_ok;
  }
  if (ok) return array;
  for (size_t i = 0; i < count; i++) close(values[i]);
  return rethrow(env, "EINVAL: descriptors");
}

static napi_value js_fork(napi_env env, napi_callback_info info) {
  int32_t fds[3]; // the child's channel, stdout and stderr
  if (!get_ints(env, info, fds, 3)) return NULL;
  for (int i = 0; i < 3; i++) {
    if (fds[i] <= STDERR_FILENO || fcntl(fds[i], F_GETFD) < 0) return throw_errno(env, EBADF, "fork");
  }
  if (syscall(SYS_gettid) != getpid()) {
    (void)napi_throw_error(env, "EPERM", "EPERM: only the main thread can fork: a child has no other thread, fork");
    return NULL;
  }
  struct uv_loop_s *loop;
  napi_value zero, result;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_create_int32(env, 0, &zero) != napi_ok) {
    return rethrow(env, "EINVAL: fork");
  }

  // A signal that came to the child before uv_loop_fork would be reported to the parent, through the pipe they share till then.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const char *call = "madvise";
  pid_t pid = -1;
  if (share_heap()) {
    call = "fork";
    pid = fork();
  }
  const int error = errno;

  if (pid == 0) {
    const int failed = uv_loop_fork(loop); // else what JavaScript does next changes the parent's epoll set
    if (failed != 0) fail_in_child("uv_loop_fork", -failed);
    forbid_core();
    take_stdio(fds[1], STDOUT_FILENO);
    take_stdio(fds[2], STDERR_FILENO);
    close(fds[1]);
    close(fds[2]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return zero;
  }

  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return throw_errno(env, error, call);
  if (napi_create_int32(env, pid, &result) == napi_ok) return result;
  kill(pid, SIGKILL); // a worker that nobody knows of must not live
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  return rethrow(env, "EINVAL: fork");
}

static napi_value js_wait(napi_env env, napi_callback_info info) {
  int32_t pid;
  if (!get_ints(env, info, &pid, 1)) return NULL;
  if (pid <= 0) return throw_errno(env, EINVAL, "waitpid"); // 0 and -1 would take children that libuv waits for
  int status;
  pid_t ended;
  do ended = waitpid(pid, &status, WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return throw_errno(env, errno, "waitpid");
  if (ended == 0) return NULL; // undefined
  const bool killed = WIFSIGNALED(status);
  napi_value result, number;
  const bool ok = napi_create_object(env, &result) == napi_ok &&
                  napi_create_int32(env, killed ? WTERMSIG(status) : WEXITSTATUS(status), &number) == napi_ok &&
                  napi_set_named_property(env, result, killed ? "signal" : "code", number) == napi_ok;
  return ok ? result : rethrow(env, "EINVAL: waitpid");
}

static napi_value js_pid(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value result;
  return napi_create_int32(env, getpid(), &result) == napi_ok ? result : rethrow(env, "EINVAL: getpid");
}

static napi_value js_exit(napi_env env, napi_callback_info info) {
  int32_t code;
  if (!get_ints(env, info, &code, 1)) return NULL;
  _exit(code);
}

// sd_notify(3): one datagram. A path that begins with @ is abstract (unix(7)).
static napi_value js_notify(napi_env env, napi_callback_info info) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char path[sizeof address.sun_path + 4]; // longer than what fits, so that a cut one is seen; 4 is UTF-8's longest character
  char text[4096];
  size_t count = 2, path_length, text_length;
  napi_value arguments[2];
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 2 ||
      napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[1], text, sizeof text, &text_length) != napi_ok) {
    return rethrow(env, "EINVAL: path and text must be strings");
  }
  if (path_length == 0) return throw_errno(env, EINVAL, "connect");
  if (path_length >= sizeof address.sun_path) return throw_errno(env, ENAMETOOLONG, "connect");
  if (text_length >= sizeof text - 4) return throw_errno(env, EMSGSIZE, "sendto");
  memcpy(address.sun_path, path, path_length);
  if (path[0] == '@') address.sun_path[0] = '\0';

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(env, errno, "socket");
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  const ssize_t sent =
      sendto(fd, text, text_length, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address, length);
  const int error = errno;
  close(fd);
  return sent < 0 ? throw_errno(env, error, "sendto") : NULL;
}

// The end of an empty loop, before libuv sees it: what Node does there waits for V8's threads, which a child has not. One for
// the process: its main thread.
static struct {
  napi_env env;
  napi_ref callback;
  struct uv_loop_s *loop;
} idle;

// Call JavaScript, and what it has put off to the next tick.
static void call_idle(bool last) {
  napi_handle_scope scope;
  napi_value callback, argument, global;
  if (napi_open_handle_scope(idle.env, &scope) != napi_ok) return;
  if (napi_get_reference_value(idle.env, idle.callback, &callback) == napi_ok &&
      napi_get_boolean(idle.env, last, &argument) == napi_ok && napi_get_global(idle.env, &global) == napi_ok &&
      napi_make_callback(idle.env, NULL, global, callback, 1, &argument, NULL) == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(idle.env, &error) == napi_ok) (void)napi_fatal_exception(idle.env, error);
  }
  (void)napi_close_handle_scope(idle.env, scope);
}

static bool is_idle(void *prepare) {
  uv_unref(prepare);
  const bool alive = uv_loop_alive(idle.loop);
  uv_ref(prepare); // it holds the loop itself, else there would be no turn to look in
  return !alive;
}

static void on_prepare(void *prepare) {
  if (!is_idle(prepare)) return;
  call_idle(false);
  if (is_idle(prepare)) call_idle(true);
}

static napi_value js_on_idle(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value callback;
  napi_valuetype type;
  if (napi_get_cb_info(env, info, &count, &callback, NULL, NULL) != napi_ok || count != 1 ||
      napi_typeof(env, callback, &type) != napi_ok || type != napi_function) {
    return rethrow(env, "EINVAL: the argument must be a function");
  }
  if (syscall(SYS_gettid) != getpid() || idle.callback != NULL) return throw_errno(env, EBUSY, "onIdle");
  if (napi_get_uv_event_loop(env, &idle.loop) != napi_ok ||
      napi_create_reference(env, callback, 1, &idle.callback) != napi_ok) {
    return rethrow(env, "EINVAL: onIdle");
  }
  idle.env = env;
  void *const prepare = malloc(uv_handle_size(UV_PREPARE)); // lives as long as the process
  if (prepare == NULL) return throw_errno(env, ENOMEM, "onIdle");
  (void)uv_prepare_init(idle.loop, prepare); // these two cannot fail
  (void)uv_prepare_start(prepare, on_prepare);
  return NULL;
}

static napi_value js_socketpair(napi_env env, napi_callback_info info) {
  (void)info;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return throw_errno(env, errno, "socketpair");
  }
  return int_array(env, pair, 2);
}

// Room for the descriptors of one message (cmsg(3)).
union control {
  struct cmsghdr header; // for its alignment
  char bytes[CMSG_SPACE(MAX_SENT * sizeof(int))];
};

// unix(7): descriptors travel with at least one byte; here with just one.
static napi_value js_send_descriptors(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  int32_t socket_fd;
  uint32_t length;
  int fds[MAX_SENT];
  bool ok = napi_get_cb_info(env, info, &count, arguments, NULL, NULL) == napi_ok && count == 2 &&
            napi_get_value_int32(env, arguments[0], &socket_fd) == napi_ok &&
            napi_get_array_length(env, arguments[1], &length) == napi_ok && length >= 1 && length <= MAX_SENT;
  for (uint32_t i = 0; ok && i < length; i++) {
    napi_value element;
    int32_t fd;
    ok = napi_get_element(env, arguments[1], i, &element) == napi_ok && napi_get_value_int32(env, element, &fd) == napi_ok;
    if (ok) fds[i] = fd;
  }
  if (!ok) return rethrow(env, "EINVAL: a descriptor and an array of 1 to 8 descriptors");

  char byte = 0;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union control control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes};
  message.msg_controllen = CMSG_SPACE(length * sizeof(int));
  struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(length * sizeof(int));
  memcpy(CMSG_DATA(header), fds, length * sizeof(int));
  const ssize_t sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? throw_errno(env, errno, "sendmsg") : NULL;
}

static napi_value js_receive_descriptors(napi_env env, napi_callback_info info) {
  int32_t socket_fd;
  if (!get_ints(env, info, &socket_fd, 1)) return NULL;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union control control;
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const ssize_t received = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) return throw_errno(env, errno, "recvmsg");
  int fds[MAX_SENT];
  size_t count = 0;
  struct cmsghdr *const header = received > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); // at most what there was room for
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
  }
  if ((message.msg_flags & MSG_CTRUNC) == 0) return int_array(env, fds, count);
  for (size_t i = 0; i < count; i++) close(fds[i]); // some were lost, as at EMFILE
  return throw_errno(env, EMFILE, "recvmsg");
}

// How many requests libuv has under way: those that process.getActiveResourcesInfo() tells, and work of the thread pool.
static napi_value js_requests(napi_env env, napi_callback_info info) {
  (void)info;
  struct uv_loop_s *loop;
  napi_value result;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_create_uint32(env, loop->active_reqs.count, &result) != napi_ok) {
    return rethrow(env, "napi_get_uv_event_loop");
  }
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"fork", NULL, js_fork, NULL, NULL, NULL, napi_enumerable, NULL},
      {"wait", NULL, js_wait, NULL, NULL, NULL, napi_enumerable, NULL},
      {"pid", NULL, js_pid, NULL, NULL, NULL, napi_enumerable, NULL},
      {"exit", NULL, js_exit, NULL, NULL, NULL, napi_enumerable, NULL},
      {"notify", NULL, js_notify, NULL, NULL, NULL, napi_enumerable, NULL},
      {"onIdle", NULL, js_on_idle, NULL, NULL, NULL, napi_enumerable, NULL},
      {"socketpair", NULL, js_socketpair, NULL, NULL, NULL, napi_enumerable, NULL},
      {"sendDescriptors", NULL, js_send_descriptors, NULL, NULL, NULL, napi_enumerable, NULL},
      {"receiveDescriptors", NULL, js_receive_descriptors, NULL, NULL, NULL, napi_enumerable, NULL},
      {"requests", NULL, js_requests, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  if (napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions) != napi_ok) {
    return rethrow(env, "napi_define_properties");
  }
  return exports;
}

#else

typedef int postfork_is_for_linux; // an empty translation unit is an error in ISO C

#endif
