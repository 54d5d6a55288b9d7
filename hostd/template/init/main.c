#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"
#include "fields.h"
#include "frame.h"
#include "health.h"
#include "identify.h"
#include "link.h"
#include "options.h"

enum {
  POLLS_MAX = EXEC_POLLS_MAX + LINKS_MAX + 4,
  READ_CHUNK = 32 * 1024,
  REOPEN_MS = 100,
  /* The driver signals when the host opens or closes its end; this only guards against a lost signal. */
  ABSENT_MS = 2000,
  /* The first bytes of a host may come before the driver says that it has come. */
  OPENING_TRIES = 200,
  OPENING_MS = 5,
};

/* HOST_AWAY: nothing to poll for now. HOST_LOOK: away when last seen, to be looked at again. */
enum { HOST_HERE, HOST_AWAY, HOST_LOOK, HOST_OPENING };

Options options = {"/dev/virtio-ports/org.lebureau.init", "/", "/tmp/.X11-unix/X0"};

static int device = -1, signals = -1, host = HOST_HERE, opening_tries;

/* When the last bytes of the host were read. */
static int64_t read_ms;
/* Started by the host over SSH: input and output are the connection, and the program ends with it. */
static int is_stdio(void) { return strcmp(options.device, "stdio") == 0; }

/* Of the connection that is served; "" until a host greeted. */
static char session[80];

static void say_hello(uint32_t stream) {
  FieldWriter writer = {.count = 0};
  fields_put_number(&writer, "protocol", PROTOCOL_VERSION);
  fields_put(&writer, "programVersion", PROGRAM_VERSION);
  fields_put(&writer, "session", session);
  frame_send(T_HELLO | T_ANSWER, stream, writer.bytes, writer.count);
}

/* The same greeting again changes nothing; another one ends what the former host asked for. */
static void hello(const Frame *frame) {
  const char *name = fields_find(frame->payload, frame->length, "session");
  if (!name || strlen(name) >= sizeof session) return;
  if (strcmp(name, session) != 0) {
    exec_kill_all();
    link_close_all();
    health_forget();
    frame_reset_output();
    strcpy(session, name);
  }
  say_hello(frame->stream);
}

static void handle(const Frame *frame) {
  switch (frame->type) {
    case T_HELLO: return hello(frame);
    case T_HEALTH: return health_ask(frame->stream);
    case T_IDENTIFY: return identify(frame, read_ms);
    case T_EXEC: return exec_start(frame);
    case T_CONNECT: return link_open(frame);
    case T_STDIN:
      if (!link_stdin(frame)) exec_stdin(frame);
      return;
    case T_STDIN_END:
      if (!link_stdin_end(frame->stream)) exec_stdin_end(frame->stream);
      return;
    case T_KILL:
      if (!link_close(frame->stream)) exec_kill(frame->stream);
      return;
    case T_FORGET:
      identify_forget();
      frame_send(T_FORGET | T_ANSWER, frame->stream, "", 0);
      return;
    default: return; /* of a later protocol */
  }
}

static int connect_socket(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static void open_device(void) {
  if (is_stdio()) device = STDIN_FILENO;
  else if (strncmp(options.device, "unix:", 5) == 0) device = connect_socket(options.device + 5);
  else device = open(options.device, O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (device < 0) return;
  fcntl(device, F_SETOWN, getpid());
  fcntl(device, F_SETFL, is_stdio() ? O_NONBLOCK : O_NONBLOCK | O_ASYNC);
  if (is_stdio()) fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
  frame_reset_input();
  frame_reset_output();
  /* Without a session: tells a host that greeted a former run of this program that it is gone. */
  session[0] = 0;
  say_hello(0);
  host = HOST_HERE;
}

static void host_left(void) {
  exec_kill_all();
  link_close_all();
  if (is_stdio()) exit(0);
  health_forget();
  frame_reset_input();
  frame_reset_output();
  session[0] = 0;
  host = HOST_AWAY;
  /* A socket of a test is opened anew; a virtio port stays open and comes back by itself. */
  if (strncmp(options.device, "unix:", 5) != 0) return;
  close(device);
  device = -1;
}

static void read_device(void) {
  static uint8_t bytes[READ_CHUNK];
  ssize_t got = read(device, bytes, sizeof bytes);
  if (got > 0) {
    read_ms = monotonic_ms();
    if (host == HOST_AWAY || host == HOST_LOOK) host = HOST_OPENING, opening_tries = OPENING_TRIES;
    frame_feed(bytes, (size_t)got, handle);
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  /* A port without a host reads as ended, again and again. */
  if (host == HOST_OPENING && --opening_tries > 0) return;
  if (host == HOST_HERE || host == HOST_OPENING) host_left();
  else host = HOST_AWAY;
}

static void read_signals(void) {
  struct signalfd_siginfo info[8];
  ssize_t got = read(signals, info, sizeof info);
  for (ssize_t i = 0; i < got / (ssize_t)sizeof info[0]; i++)
    if (info[i].ssi_signo == SIGTERM) exit(0);
  exec_reap();
  if (host == HOST_AWAY) host = HOST_LOOK;
}

static void flush_device(void) {
  int to = is_stdio() ? STDOUT_FILENO : device;
  if (device >= 0 && frame_pending() > 0 && frame_flush(to) < 0) host_left();
}

static int device_poll(struct pollfd *polls, int *timeout_ms) {
  if (device < 0) {
    *timeout_ms = REOPEN_MS;
    return 0;
  }
  if (host == HOST_AWAY) {
    *timeout_ms = ABSENT_MS;
    host = HOST_LOOK;
    return 0;
  }
  short events = frame_pending() < OUT_HIGH ? POLLIN : 0;
  short more = frame_pending() > 0 ? POLLOUT : 0;
  polls[0] = (struct pollfd){device, is_stdio() ? events : events | more, 0};
  if (!is_stdio() || !more) return 1;
  polls[1] = (struct pollfd){STDOUT_FILENO, more, 0};
  return 2;
}

static void device_polled(short revents) {
  if (host == HOST_OPENING && revents && !(revents & POLLHUP)) host = HOST_HERE;
  if (host == HOST_OPENING) usleep(OPENING_MS * 1000);
  if (revents & (POLLIN | POLLHUP | POLLERR)) read_device();
}

static void turn(void) {
  static struct pollfd polls[POLLS_MAX];
  int timeout_ms = -1;
  if (device < 0) open_device();
  int with_device = device_poll(polls, &timeout_ms);
  polls[with_device] = (struct pollfd){signals, POLLIN, 0};
  int at = with_device + 1;
  int health = health_polls(polls + at, &timeout_ms);
  int read_allowed = frame_pending() < OUT_HIGH;
  int exec = exec_polls(polls + at + health, read_allowed, &timeout_ms);
  int link = link_polls(polls + at + health + exec, read_allowed);
  if (poll(polls, (nfds_t)(at + health + exec + link), timeout_ms) < 0 && errno != EINTR) exit(1);
  if (polls[with_device].revents) read_signals();
  exec_polled(polls + at + health, exec);
  link_polled(polls + at + health + exec, link);
  health_polled(polls + at, health);
  if (with_device) device_polled(polls[0].revents);
  exec_advance();
  health_advance();
  flush_device();
}

static void prepare(void) {
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGCHLD), sigaddset(&taken, SIGIO), sigaddset(&taken, SIGTERM);
  sigprocmask(SIG_BLOCK, &taken, NULL);
  signal(SIGPIPE, SIG_IGN);
  signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);
  if (strcmp(options.root, "/") != 0) return;
  struct sched_param first = {.sched_priority = 10};
  sched_setscheduler(0, SCHED_FIFO, &first);
  /* What is mapped later would be fetched and pinned page by page, at each fopen of libc. */
  mlockall(MCL_CURRENT);
}

static void read_options(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--device") == 0) options.device = argv[i + 1];
    if (strcmp(argv[i], "--root") == 0) options.root = argv[i + 1];
    if (strcmp(argv[i], "--display") == 0) options.display = argv[i + 1];
  }
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  prepare();
  identify_prepare();
  identify_restore();
  for (;;) turn();
}
