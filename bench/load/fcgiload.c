// fcgiload: a web server's side of FastCGI (and of HTTP/1.1) over a unix socket, as a load driver: one thread, epoll.
//
// Sends the requests that nginx would send, checks every answer byte for byte and prints one line of JSON.
// It takes the responder's CPU time itself, at the moments at which the counted part begins and ends.
// Linux only. cc -O2 -o fcgiload fcgiload.c

#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };
enum { HEAD_MAX = 2048, READ_SIZE = 128 * 1024, BATCH = 64, MAX_PIDS = 64, STALL_MS = 5000, MAX_ERRORS = 100 };
enum { STDIN_RECORD = 32 * 1024, JSON_AROUND = 11 }; // nginx cuts request bodies here

static const char USAGE[] =
    "Usage: fcgiload --mode MODE --socket PATH [options]\n"
    "\n"
    "Modes\n"
    "  kept         FastCGI, KEEP_CONN=1, each connection one request at a time\n"
    "  single       FastCGI, KEEP_CONN=0, a new connection for each request, read to its end\n"
    "  multiplexed  FastCGI, KEEP_CONN=1, --ids requests at a time on each connection\n"
    "  http-kept    HTTP/1.1 keep-alive\n"
    "  http-single  HTTP/1.1, Connection: close\n"
    "\n"
    "Options\n"
    "  --connections N   at a time (default 32; with multiplexed 1)\n"
    "  --ids N           request ids 1 to N of each connection (multiplexed only, default 32)\n"
    "  --seconds S       counted time (default 1.5)\n"
    "  --requests N      counted requests, instead of a time\n"
    "  --warmup S        seconds before, not counted (default 0.5)\n"
    "  --body BYTES      POST with a body of that length (default 0: GET)\n"
    "  --json            that body is JSON: {\"text\":\"bbb...\"}\n"
    "  --answer BYTES    length of the body that is the right answer: as many 'x' (default 100)\n"
    "  --pid PID[,PID]   the responder's processes: their CPU time and page faults go into the output\n"
    "  --between PID     a web server between: its CPU time goes into the output\n";

// One request under way.
struct slot {
  uint64_t started; // ns
  uint64_t body;    // bytes of the answer's body so far
  uint32_t head;    // bytes of the answer's head so far
  bool head_done, stream_ended, sent, active;
  char text[HEAD_MAX];
};

struct connection {
  int fd;
  bool wants_out;
  bool ended;        // the answer is whole, only the end of the connection is awaited
  uint64_t answered; // requests on this connection
  // The record being read.
  uint8_t header[8], end_body[8];
  uint32_t header_length, content, padding, end_length;
  uint8_t type;
  uint16_t id;
  // Ids whose request is still to be written, in order; `written` bytes of the first are out.
  uint16_t *queue;
  uint32_t queue_at, queue_length;
  size_t written;
  struct slot *slots;
};

static struct {
  const char *mode, *socket;
  int connections, ids;
  double seconds, warmup;
  uint64_t requests;
  size_t body, answer;
  pid_t pids[MAX_PIDS];
  int pid_count;
  pid_t between;
  bool http, keep, json;
} options = {.connections = 0, .ids = 0, .seconds = 1.5, .warmup = 0.5, .answer = 100};

static struct {
  uint64_t requests, errors, reconnects, bytes_in, bytes_out;
} counted;

static char **request_of_id;
static size_t request_length;
static uint64_t first_head;
static char first_error[256];
static bool peer_closes; // it closes after each answer in spite of KEEP_CONN (or of keep-alive)
static bool measuring, done;
static uint64_t measure_from, deadline;
static int epoll_fd;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("fcgiload: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) die("out of memory");
  return memory;
}

// --- latencies: 64 buckets for each power of two, so at most 1.6 % off

static uint64_t histogram[64 * 64];

static void note_latency(uint64_t ns) {
  int shift = ns < 64 ? 0 : 63 - __builtin_clzll(ns) - 6;
  uint64_t bucket = (uint64_t)(shift + (ns >= 64)) * 64 + ((ns >> shift) & 63);
  histogram[bucket]++;
}

static double latency_us(double quantile) {
  uint64_t rank = (uint64_t)(quantile * (double)counted.requests), seen = 0;
  for (int i = 0; i < 64 * 64; i++) {
    seen += histogram[i];
    if (seen > rank) {
      if (i < 128) return i / 1000.0;
      int shift = i / 64 - 1;
      return (double)((uint64_t)(64 + i % 64) << shift) / 1000.0;
    }
  }
  return 0;
}

// --- what the responder and this process have used so far

struct usage {
  uint64_t wall_ns, responder_ns, responder_faults, between_ns;
  double driver_us, machine_us;
};

// CPU time that all processors have spent at work or lost to other machines, in ticks of usually 10 ms.
static double machine_us(void) {
  unsigned long long user = 0, nice = 0, system = 0, idle, iowait, irq = 0, softirq = 0, steal = 0;
  FILE *file = fopen("/proc/stat", "r");
  if (!file) return 0;
  int found = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal);
  fclose(file);
  if (found != 8) return 0;
  return (double)(user + nice + system + irq + softirq + steal) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

// The process's CPU clock: all threads, user and system, in ns (the same sum as /proc/PID/task/*/schedstat).
static uint64_t cpu_ns_of(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
    die("no CPU time of process %d: has it died?", (int)pid);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add_usage_of(struct usage *u, pid_t pid) {
  u->responder_ns += cpu_ns_of(pid);
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file) return;
  size_t length = fread(text, 1, sizeof text - 1, file);
  text[length] = 0;
  fclose(file);
  char *after_name = strrchr(text, ')'); // the name may hold blanks
  unsigned long faults = 0;
  if (after_name && sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %lu", &faults) == 1) u->responder_faults += faults;
}

static struct usage take_usage(void) {
  struct usage u = {.wall_ns = now_ns(), .machine_us = machine_us()};
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  u.driver_us = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1e6 +
                (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec);
  for (int i = 0; i < options.pid_count; i++) add_usage_of(&u, options.pids[i]);
  if (options.between) u.between_ns = cpu_ns_of(options.between);
  return u;
}

// --- requests, made once

struct bytes {
  char *data;
  size_t length, room;
};

static void append(struct bytes *b, const void *data, size_t length) {
  if (b->length + length > b->room) {
    b->room = (b->length + length) * 2;
    b->data = realloc(b->data, b->room);
    if (!b->data) die("out of memory");
  }
  if (data) memcpy(b->data + b->length, data, length);
  else memset(b->data + b->length, 0, length);
  b->length += length;
}

// A record padded to a multiple of 8, as nginx does.
static void append_record(struct bytes *b, int type, int id, const void *content, size_t length) {
  uint8_t padding = (uint8_t)(-length & 7);
  uint8_t header[8] = {1, (uint8_t)type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(length >> 8), (uint8_t)length, padding, 0};
  append(b, header, 8);
  append(b, content, length);
  append(b, NULL, padding);
}

static void append_pair(struct bytes *b, const char *name, const char *value) {
  uint8_t lengths[2] = {(uint8_t)strlen(name), (uint8_t)strlen(value)}; // all below 128: one byte each
  append(b, lengths, 2);
  append(b, name, lengths[0]);
  append(b, value, lengths[1]);
}

static const char *const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
static const char *const ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

static const char *body_type(void) { return options.json ? "application/json" : "application/octet-stream"; }

// nginx's fastcgi_params, and the request headers of a browser.
static struct bytes make_params(void) {
  struct bytes p = {0};
  char length[32] = "";
  if (options.body) snprintf(length, sizeof length, "%zu", options.body);
  append_pair(&p, "QUERY_STRING", "");
  append_pair(&p, "REQUEST_METHOD", options.body ? "POST" : "GET");
  append_pair(&p, "CONTENT_TYPE", options.body ? body_type() : "");
  append_pair(&p, "CONTENT_LENGTH", length);
  append_pair(&p, "SCRIPT_NAME", "/");
  append_pair(&p, "REQUEST_URI", "/");
  append_pair(&p, "DOCUMENT_URI", "/");
  append_pair(&p, "DOCUMENT_ROOT", "/usr/share/nginx/html");
  append_pair(&p, "SERVER_PROTOCOL", "HTTP/1.1");
  append_pair(&p, "REQUEST_SCHEME", "http");
  append_pair(&p, "GATEWAY_INTERFACE", "CGI/1.1");
  append_pair(&p, "SERVER_SOFTWARE", "nginx/1.22.1");
  append_pair(&p, "REMOTE_ADDR", "127.0.0.1");
  append_pair(&p, "REMOTE_PORT", "45678");
  append_pair(&p, "SERVER_ADDR", "127.0.0.1");
  append_pair(&p, "SERVER_PORT", "8080");
  append_pair(&p, "SERVER_NAME", "localhost");
  append_pair(&p, "REDIRECT_STATUS", "200");
  append_pair(&p, "HTTP_HOST", "localhost:8080");
  append_pair(&p, "HTTP_USER_AGENT", AGENT);
  append_pair(&p, "HTTP_ACCEPT", ACCEPT);
  append_pair(&p, "HTTP_ACCEPT_ENCODING", "gzip, deflate");
  return p;
}

static struct bytes make_fastcgi(int id, const char *body) {
  struct bytes b = {0}, params = make_params();
  uint8_t begin[8] = {0, 1, options.keep ? 1 : 0};
  append_record(&b, BEGIN_REQUEST, id, begin, 8);
  append_record(&b, PARAMS, id, params.data, params.length);
  append_record(&b, PARAMS, id, NULL, 0);
  for (size_t at = 0; at < options.body; at += STDIN_RECORD) {
    size_t left = options.body - at;
    append_record(&b, STDIN, id, body + at, left < STDIN_RECORD ? left : STDIN_RECORD);
  }
  append_record(&b, STDIN, id, NULL, 0);
  free(params.data);
  return b;
}

static struct bytes make_http(const char *body) {
  struct bytes b = {0};
  char head[1024], entity[128] = "";
  if (options.body)
    snprintf(entity, sizeof entity, "Content-Type: %s\r\nContent-Length: %zu\r\n", body_type(), options.body);
  int length = snprintf(head, sizeof head,
                        "%s / HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: %s\r\nAccept: %s\r\n"
                        "Accept-Encoding: gzip, deflate\r\n%sConnection: %s\r\n\r\n",
                        options.body ? "POST" : "GET", AGENT, ACCEPT, entity, options.keep ? "keep-alive" : "close");
  append(&b, head, (size_t)length);
  append(&b, body, options.body);
  return b;
}

// --- errors

static void open_connection(struct connection *c);

static void note_error(const char *format, ...) {
  counted.errors++; // those of the warm-up count as well
  if (counted.errors >= MAX_ERRORS) done = true;
  if (first_error[0]) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(first_error, sizeof first_error, format, arguments);
  va_end(arguments);
}

// --- writing

static void watch(struct connection *c, bool out) {
  if (c->wants_out == out) return;
  c->wants_out = out;
  struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void enqueue(struct connection *c, int id, uint64_t now) {
  struct slot *s = &c->slots[id - 1];
  s->started = now;
  s->body = 0;
  s->head = 0;
  s->head_done = s->stream_ended = s->sent = false;
  s->active = true;
  c->queue[(c->queue_at + c->queue_length++) % (uint32_t)options.ids] = (uint16_t)id;
}

// Everything queued, in one write where the socket takes it. False when the peer has closed.
static bool flush(struct connection *c) {
  while (c->queue_length > 0) {
    struct iovec parts[BATCH];
    uint32_t count = c->queue_length < BATCH ? c->queue_length : BATCH;
    for (uint32_t i = 0; i < count; i++) {
      int id = c->queue[(c->queue_at + i) % (uint32_t)options.ids];
      size_t skip = i == 0 ? c->written : 0;
      parts[i].iov_base = request_of_id[id] + skip;
      parts[i].iov_len = request_length - skip;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        watch(c, true);
        return true;
      }
      return false;
    }
    if (measuring) counted.bytes_out += (uint64_t)sent;
    c->written += (size_t)sent;
    while (c->queue_length > 0 && c->written >= request_length) {
      c->written -= request_length;
      c->slots[c->queue[c->queue_at] - 1].sent = true;
      c->queue_at = (c->queue_at + 1) % (uint32_t)options.ids;
      c->queue_length--;
    }
  }
  watch(c, false);
  return true;
}

// --- answers

static void answered(struct connection *c, struct slot *s) {
  uint64_t now = now_ns();
  s->active = false;
  c->answered++;
  if (measuring) {
    counted.requests++;
    note_latency(now - s->started);
    if (options.requests ? counted.requests >= options.requests : now >= deadline) done = true;
  }
}

// The value of a field of the head, its leading blank skipped.
static const char *field(const char *head, const char *name) {
  size_t length = strlen(name);
  for (const char *line = head; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncasecmp(line, name, length) == 0 && line[length] == ':') return line + length + 1 + strspn(line + length + 1, " ");
  }
  return NULL;
}

static bool head_is_right(struct slot *s) {
  s->text[s->head - 1] = 0; // over its last LF
  if (options.http) {
    if (strncmp(s->text, "HTTP/1.1 200 ", 13) != 0) return false;
  } else {
    const char *status = field(s->text, "Status"); // without one it is 200 (RFC 3875, 6.3.3)
    if (status && strncmp(status, "200", 3) != 0) return false;
  }
  if (first_head == 0) {
    const char *length = field(s->text, "Content-Length"), *type = field(s->text, "Content-Type");
    if (!length || strtoull(length, NULL, 10) != options.answer) return false;
    if (!type || strncmp(type, "text/plain", 10) != 0) return false;
    first_head = s->head;
  }
  return s->head == first_head;
}

static bool only_x(const char *data, size_t length) {
  return length == 0 || (data[0] == 'x' && memcmp(data, data + 1, length - 1) == 0);
}

// The next bytes of an answer's head or body. Returns how many were taken, or -1 after an error.
static ssize_t take_answer(struct slot *s, const char *data, size_t length) {
  size_t taken = 0;
  if (!s->head_done) {
    size_t room = HEAD_MAX - s->head, copied = length < room ? length : room;
    memcpy(s->text + s->head, data, copied);
    size_t from = s->head > 3 ? s->head - 3 : 0;
    char *end = memmem(s->text + from, s->head + copied - from, "\r\n\r\n", 4);
    if (!end) {
      s->head += (uint32_t)copied;
      if (copied < length || s->head == HEAD_MAX) {
        note_error("a head of more than %d bytes", HEAD_MAX);
        return -1;
      }
      return (ssize_t)length;
    }
    uint32_t head = (uint32_t)(end + 4 - s->text);
    taken = head - s->head;
    s->head = head;
    s->head_done = true;
    if (!head_is_right(s)) {
      note_error("wrong head (%u bytes, the first answer's had %u): %.*s", s->head, (unsigned)first_head,
                 (int)strcspn(s->text, "\r"), s->text);
      return -1;
    }
  }
  size_t body = length - taken;
  if (body > options.answer - s->body) {
    if (!options.http) {
      note_error("an answer of more than %zu bytes", options.answer);
      return -1;
    }
    body = options.answer - s->body;
  }
  if (!only_x(data + taken, body)) {
    note_error("wrong bytes in the answer's body");
    return -1;
  }
  s->body += body;
  return (ssize_t)(taken + body);
}

// A whole answer has come on `c` for `id`; go on with the next request, or wait for the end of the connection.
static bool finish(struct connection *c, int id) {
  struct slot *s = &c->slots[id - 1];
  if (!s->head_done || s->body != options.answer) {
    note_error("an answer of %llu bytes ended, not %zu", (unsigned long long)s->body, options.answer);
    return false;
  }
  if (!s->sent) {
    note_error("an answer came before its request was written");
    return false;
  }
  if (!options.keep || (peer_closes && options.ids == 1)) {
    c->ended = true;
    return true;
  }
  answered(c, s);
  enqueue(c, id, now_ns());
  return true;
}

static bool take_http(struct connection *c, const char *data, size_t length) {
  while (length > 0) {
    if (c->ended) {
      note_error("bytes behind the answer");
      return false;
    }
    ssize_t taken = take_answer(&c->slots[0], data, length);
    if (taken < 0) return false;
    data += taken;
    length -= (size_t)taken;
    struct slot *s = &c->slots[0];
    if (s->head_done && s->body == options.answer) {
      if (!finish(c, 1)) return false;
    }
  }
  return true;
}

// The end of a record's content.
static bool record_done(struct connection *c) {
  if (c->type != END_REQUEST) return true;
  uint32_t status = (uint32_t)c->end_body[0] << 24 | (uint32_t)c->end_body[1] << 16 | (uint32_t)c->end_body[2] << 8 | c->end_body[3];
  if (c->end_length != 8 || status != 0 || c->end_body[4] != 0) {
    note_error("END_REQUEST of %u bytes with appStatus %u, protocolStatus %u", c->end_length, status, c->end_body[4]);
    return false;
  }
  return finish(c, c->id);
}

static bool take_header(struct connection *c) {
  const uint8_t *h = c->header;
  c->type = h[1];
  c->id = (uint16_t)(h[2] << 8 | h[3]);
  c->content = (uint32_t)(h[4] << 8 | h[5]);
  c->padding = h[6];
  c->end_length = 0;
  bool known = c->type == STDOUT || c->type == STDERR || c->type == END_REQUEST;
  if (h[0] != 1 || !known || c->id == 0 || c->id > options.ids || !c->slots[c->id - 1].active || c->ended) {
    note_error("unexpected record: version %u, type %u, id %u, %u bytes", h[0], c->type, c->id, c->content);
    return false;
  }
  struct slot *s = &c->slots[c->id - 1];
  if (c->type == STDOUT) {
    if (s->stream_ended) {
      note_error("STDOUT behind the end of STDOUT");
      return false;
    }
    if (c->content == 0) s->stream_ended = true;
  }
  return c->content > 0 || record_done(c);
}

static bool take_fastcgi(struct connection *c, const char *data, size_t length) {
  while (length > 0) {
    size_t piece;
    if (c->content > 0) {
      piece = length < c->content ? length : c->content;
      if (c->type == STDOUT) {
        if (take_answer(&c->slots[c->id - 1], data, piece) < 0) return false;
      } else if (c->type == END_REQUEST) {
        for (size_t i = 0; i < piece; i++, c->end_length++)
          if (c->end_length < 8) c->end_body[c->end_length] = (uint8_t)data[i];
      } else {
        note_error("STDERR: %.*s", piece < 200 ? (int)piece : 200, data);
        return false;
      }
      c->content -= (uint32_t)piece;
      if (c->content == 0 && !record_done(c)) return false;
    } else if (c->padding > 0) {
      piece = length < c->padding ? length : c->padding;
      c->padding -= (uint32_t)piece;
    } else {
      piece = 8 - c->header_length;
      if (piece > length) piece = length;
      memcpy(c->header + c->header_length, data, piece);
      c->header_length += (uint32_t)piece;
      if (c->header_length == 8) {
        c->header_length = 0;
        if (!take_header(c)) return false;
      }
    }
    data += piece;
    length -= piece;
  }
  return true;
}

// --- connections

static void open_connection(struct connection *c) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, options.socket);
  c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s", strerror(errno));
  uint64_t now = now_ns();
  // A blocking connect waits where the backlog is full; reads and writes ask for MSG_DONTWAIT.
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect %s: %s", options.socket, strerror(errno));
  c->header_length = c->content = c->padding = 0;
  c->queue_at = c->queue_length = 0;
  c->written = 0;
  c->answered = 0;
  c->wants_out = c->ended = false;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
  for (int id = 1; id <= options.ids; id++) enqueue(c, id, now);
  flush(c); // a peer that has closed already shows at the read
}

static void reopen(struct connection *c) {
  close(c->fd);
  if (!done) open_connection(c);
}

// The peer has closed: right where the answer was whole, forgiven where none had begun on a kept connection.
static void closed(struct connection *c, const char *how) {
  if (c->ended) {
    answered(c, &c->slots[0]);
    if (options.keep && measuring) counted.reconnects++;
    reopen(c);
    return;
  }
  bool begun = c->header_length > 0 || c->content > 0 || (options.http && c->slots[0].head > 0);
  for (int i = 0; i < options.ids; i++)
    if (c->slots[i].head > 0 && c->slots[i].active) begun = true;
  if (options.keep && !begun && c->answered > 0 && options.ids == 1) {
    if (c->answered == 1) peer_closes = true; // from now on wait for it
    if (measuring) counted.reconnects++;
  } else note_error("the connection was %s with %s", how, options.ids > 1 ? "requests under way" : "a request under way");
  reopen(c);
}

static void on_event(struct connection *c, uint32_t events, char *buffer) {
  if (events & EPOLLOUT) flush(c);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t length = recv(c->fd, buffer, READ_SIZE, MSG_DONTWAIT);
  if (length < 0) {
    if (errno != EAGAIN && errno != EINTR) closed(c, errno == ECONNRESET ? "reset" : strerror(errno));
    return;
  }
  if (length == 0) {
    closed(c, "closed");
    return;
  }
  if (measuring) counted.bytes_in += (uint64_t)length;
  bool right = options.http ? take_http(c, buffer, (size_t)length) : take_fastcgi(c, buffer, (size_t)length);
  if (!right) reopen(c);
  else if (c->queue_length > 0 && !c->wants_out) flush(c);
}

static void run(struct usage *before, struct usage *after) {
  struct connection *connections = allocate((size_t)options.connections, sizeof *connections);
  char *buffer = allocate(1, READ_SIZE);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  measure_from = now_ns() + (uint64_t)(options.warmup * 1e9);
  *before = take_usage();
  for (int i = 0; i < options.connections; i++) {
    connections[i].slots = allocate((size_t)options.ids, sizeof(struct slot));
    connections[i].queue = allocate((size_t)options.ids, sizeof(uint16_t));
    open_connection(&connections[i]);
  }
  while (!done) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, STALL_MS);
    if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    if (count == 0) {
      note_error("no answer within %d ms", STALL_MS);
      break;
    }
    if (!measuring && now_ns() >= measure_from) {
      *before = take_usage();
      deadline = before->wall_ns + (uint64_t)(options.seconds * 1e9);
      measuring = true;
    }
    for (int i = 0; i < count && !done; i++) on_event(events[i].data.ptr, events[i].events, buffer);
  }
  *after = take_usage();
}

// --- command line and output

static void print_json_string(const char *text) {
  putchar('"');
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (*p == '"' || *p == '\\') printf("\\%c", *p);
    else if (*p < 32 || *p > 126) printf("\\u%04x", *p);
    else putchar(*p);
  }
  putchar('"');
}

static double number(const char *name, const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (*end || end == text || !(value >= least && value <= most)) die("--%s must be %.10g to %.10g, not '%s'", name, least, most, text);
  return value;
}

static void read_pids(char *list) {
  for (char *pid = strtok(list, ","); pid; pid = strtok(NULL, ",")) {
    if (options.pid_count == MAX_PIDS) die("more than %d --pid", MAX_PIDS);
    options.pids[options.pid_count++] = (pid_t)number("pid", pid, 1, 1 << 30);
  }
}

static void read_options(int count, char **arguments) {
  static const struct option known[] = {
      {"mode", 1, 0, 'm'},  {"socket", 1, 0, 's'},   {"connections", 1, 0, 'c'}, {"ids", 1, 0, 'i'},
      {"seconds", 1, 0, 't'}, {"requests", 1, 0, 'n'}, {"warmup", 1, 0, 'w'},      {"body", 1, 0, 'b'},
      {"answer", 1, 0, 'a'},  {"pid", 1, 0, 'p'},      {"between", 1, 0, 'z'},      {"json", 0, 0, 'j'},
      {"help", 0, 0, 'h'},    {0}};
  int key, index = 0;
  while ((key = getopt_long(count, arguments, "h", known, &index)) != -1) {
    const char *name = known[index].name;
    switch (key) {
    case 'm': options.mode = optarg; break;
    case 's': options.socket = optarg; break;
    case 'c': options.connections = (int)number(name, optarg, 1, 10000); break;
    case 'i': options.ids = (int)number(name, optarg, 1, 65535); break;
    case 't': options.seconds = number(name, optarg, 0.01, 3600); break;
    case 'n': options.requests = (uint64_t)number(name, optarg, 1, 1e12); break;
    case 'w': options.warmup = number(name, optarg, 0, 3600); break;
    case 'b': options.body = (size_t)number(name, optarg, 0, 1 << 30); break;
    case 'a': options.answer = (size_t)number(name, optarg, 0, 1 << 30); break;
    case 'p': read_pids(optarg); break;
    case 'z': options.between = (pid_t)number(name, optarg, 1, 1 << 30); break;
    case 'j': options.json = true; break;
    case 'h': fputs(USAGE, stdout); exit(0);
    default: fputs(USAGE, stderr); exit(2);
    }
  }
  if (optind < count || !options.mode || !options.socket) {
    fputs(USAGE, stderr);
    exit(2);
  }
  if (strlen(options.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) die("the socket's path is too long");
  bool multiplexed = strcmp(options.mode, "multiplexed") == 0;
  options.http = strncmp(options.mode, "http-", 5) == 0;
  options.keep = multiplexed || strcmp(options.mode + 5 * options.http, "kept") == 0;
  if (!options.keep && strcmp(options.mode + 5 * options.http, "single") != 0) die("no mode '%s'; see --help", options.mode);
  if (!options.connections) options.connections = multiplexed ? 1 : 32;
  if (!multiplexed && options.ids > 1) die("--ids is for --mode multiplexed");
  if (options.json && options.body < JSON_AROUND) die("--json is for --body %d and more", JSON_AROUND);
  if (!options.ids) options.ids = multiplexed ? 32 : 1;
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  char *body = allocate(1, options.body + 1);
  memset(body, 'b', options.body);
  if (options.json) {
    memcpy(body, "{\"text\":\"", 9);
    memcpy(body + options.body - 2, "\"}", 2);
  }
  request_of_id = allocate((size_t)options.ids + 1, sizeof(char *));
  for (int id = 1; id <= options.ids; id++) {
    struct bytes request = options.http ? make_http(body) : make_fastcgi(id, body);
    request_of_id[id] = request.data;
    request_length = request.length;
  }

  struct usage before, after;
  run(&before, &after);

  printf("{\"mode\":\"%s\",\"connections\":%d,\"ids\":%d,\"requests\":%llu,\"errors\":%llu", options.mode, options.connections,
         options.ids, (unsigned long long)counted.requests, (unsigned long long)counted.errors);
  printf(",\"seconds\":%.6f,\"p50Us\":%.1f,\"p99Us\":%.1f", (double)(after.wall_ns - before.wall_ns) / 1e9, latency_us(0.5),
         latency_us(0.99));
  printf(",\"driverCpuUs\":%.0f", after.driver_us - before.driver_us);
  if (options.pid_count > 0) {
    double responder_us = (double)(after.responder_ns - before.responder_ns) / 1e3;
    double between_us = (double)(after.between_ns - before.between_ns) / 1e3;
    double others_us = after.machine_us - before.machine_us - responder_us - between_us - (after.driver_us - before.driver_us);
    printf(",\"responderCpuUs\":%.1f,\"responderFaults\":%llu,\"othersCpuUs\":%.0f", responder_us,
           (unsigned long long)(after.responder_faults - before.responder_faults),
           others_us > 0 ? others_us : 0); // ticks are coarse
    if (options.between) printf(",\"betweenCpuUs\":%.1f", between_us);
  }
  printf(",\"bytesIn\":%llu,\"bytesOut\":%llu,\"reconnects\":%llu,\"peerCloses\":%s,\"firstError\":",
         (unsigned long long)counted.bytes_in, (unsigned long long)counted.bytes_out,
         (unsigned long long)counted.reconnects, peer_closes ? "true" : "false");
  print_json_string(first_error);
  puts("}");
  return counted.errors > 0 || counted.requests == 0;
}
