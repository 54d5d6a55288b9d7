#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fields.h"

enum { ARGS_MAX = 4096, ENV_MAX = 512, GROUPS_MAX = 64 };

static const char *path_variable = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

typedef struct {
  const char *argv[ARGS_MAX + 1], *env[ENV_MAX + 1];
  int argc, envc;
  const char *cwd;
  int change_user;
  uid_t uid;
  gid_t gid;
  gid_t groups[GROUPS_MAX];
  int group_count;
  int in, out, err;
  char text[8192];
  size_t text_count;
  volatile int failure;
  const char *volatile step;
} Plan;

static void set_env(Plan *plan, const char *assignment) {
  size_t name = strcspn(assignment, "=") + 1;
  for (int i = 0; i < plan->envc; i++)
    if (strncmp(plan->env[i], assignment, name) == 0) {
      plan->env[i] = assignment;
      return;
    }
  if (plan->envc < ENV_MAX) plan->env[plan->envc++] = assignment;
}

static const char *keep(Plan *plan, const char *format, const char *value) {
  char *at = plan->text + plan->text_count;
  size_t room = sizeof plan->text - plan->text_count;
  int length = snprintf(at, room, format, value);
  if (length < 0 || (size_t)length >= room) return "LB_CUT=1";
  plan->text_count += (size_t)length + 1;
  return at;
}

/* What a program started from a terminal of the running desktop session would have. */
static void login_env(Plan *plan, const struct passwd *user) {
  char uid[16];
  snprintf(uid, sizeof uid, "%u", (unsigned)user->pw_uid);
  set_env(plan, path_variable);
  set_env(plan, "LANG=C.UTF-8");
  set_env(plan, keep(plan, "HOME=%s", user->pw_dir));
  set_env(plan, keep(plan, "USER=%s", user->pw_name));
  set_env(plan, keep(plan, "LOGNAME=%s", user->pw_name));
  set_env(plan, keep(plan, "SHELL=%s", user->pw_shell[0] ? user->pw_shell : "/bin/sh"));
  set_env(plan, "DISPLAY=:0");
  set_env(plan, "XDG_SESSION_TYPE=x11");
  set_env(plan, "XDG_CURRENT_DESKTOP=XFCE");
  set_env(plan, "DESKTOP_SESSION=xfce");
  set_env(plan, "XDG_MENU_PREFIX=xfce-");
  set_env(plan, keep(plan, "XAUTHORITY=%s/.Xauthority", user->pw_dir));
  if (user->pw_uid == 0) return;
  set_env(plan, keep(plan, "XDG_RUNTIME_DIR=/run/user/%s", uid));
  set_env(plan, keep(plan, "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/%s/bus", uid));
}

static const char *plan_user(Plan *plan, const char *name) {
  struct passwd *user = getpwnam(name);
  if (!user) return "no such user";
  plan->uid = user->pw_uid;
  plan->gid = user->pw_gid;
  plan->group_count = GROUPS_MAX;
  if (getgrouplist(name, user->pw_gid, plan->groups, &plan->group_count) < 0) plan->group_count = GROUPS_MAX;
  plan->change_user = geteuid() == 0;
  login_env(plan, user);
  if (!plan->cwd) plan->cwd = keep(plan, "%s", user->pw_dir);
  return NULL;
}

static const char *make_plan(Plan *plan, const Frame *frame) {
  const void *payload = frame->payload;
  plan->argc = plan->envc = 0;
  plan->text_count = 0;
  plan->failure = 0;
  plan->step = "user";
  plan->cwd = fields_find(payload, frame->length, "cwd");
  const char *user = fields_find(payload, frame->length, "user");
  const char *trouble = plan_user(plan, user ? user : "agent");
  if (trouble) return trouble;
  Fields fields = {payload, (const char *)payload + frame->length};
  const char *key, *value;
  int more;
  while ((more = fields_next(&fields, &key, &value)) == 1) {
    if (strcmp(key, "env") == 0 && value[0] != '=' && strchr(value, '=')) set_env(plan, value);
    if (strcmp(key, "argv") != 0) continue;
    if (plan->argc == ARGS_MAX) return "too many arguments";
    plan->argv[plan->argc++] = value;
  }
  if (more < 0 || plan->argc == 0 || !plan->argv[0][0]) return "malformed command";
  plan->argv[plan->argc] = NULL;
  plan->env[plan->envc] = NULL;
  return NULL;
}

static const char *path_of(Plan *plan) {
  for (int i = 0; i < plan->envc; i++)
    if (strncmp(plan->env[i], "PATH=", 5) == 0) return plan->env[i] + 5;
  return path_variable + 5;
}

static void exec_at(Plan *plan, const char *file) {
  execve(file, (char **)plan->argv, (char **)plan->env);
  if (errno != ENOEXEC) return;
  const char *argv[ARGS_MAX + 2] = {"/bin/sh", file};
  for (int i = 1; i <= plan->argc; i++) argv[i + 1] = plan->argv[i];
  execve("/bin/sh", (char **)argv, (char **)plan->env);
}

static void exec_search(Plan *plan) {
  if (strchr(plan->argv[0], '/')) return exec_at(plan, plan->argv[0]);
  int failure = ENOENT;
  for (const char *at = path_of(plan);; at++) {
    char file[4096];
    int length = (int)strcspn(at, ":");
    if (snprintf(file, sizeof file, "%.*s/%s", length, length ? at : ".", plan->argv[0]) < (int)sizeof file) {
      exec_at(plan, file);
      if (errno != ENOENT && errno != ENOTDIR) failure = errno;
    }
    at += length;
    if (!*at) break;
  }
  errno = failure;
}

static void write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t ignored = write(fd, text, strlen(text));
  (void)ignored;
  close(fd);
}

/*
 * Runs in the vfork child, which shares our memory until it executes: system calls only. The raw calls for user and
 * groups keep libc from telling (and waiting for) other threads.
 */
static void become(Plan *plan) {
  setsid();
  struct sched_param plain = {0};
  sched_setscheduler(0, SCHED_OTHER, &plain);
  write_text("/proc/self/oom_score_adj", "0");
  for (int sig = 1; sig < 32; sig++)
    if (sig != SIGKILL && sig != SIGSTOP) signal(sig, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(022);
  if (dup2(plan->in, 0) < 0 || dup2(plan->out, 1) < 0 || dup2(plan->err, 2) < 0) return;
  if (plan->change_user) {
    if (syscall(SYS_setgroups, plan->group_count, plan->groups)) return;
    if (syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid)) return;
    if (syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid)) return;
  }
  plan->step = "working directory";
  if (chdir(plan->cwd)) return;
  plan->step = "program";
  exec_search(plan);
}

static int pipes_open(int ends[3][2], int with_stdin) {
  ends[0][0] = ends[0][1] = ends[1][0] = ends[1][1] = ends[2][0] = ends[2][1] = -1;
  if (with_stdin ? pipe2(ends[0], O_CLOEXEC) : (ends[0][0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) return -1;
  if (pipe2(ends[1], O_CLOEXEC) || pipe2(ends[2], O_CLOEXEC)) return -1;
  return 0;
}

static void close_all(int ends[3][2]) {
  for (int i = 0; i < 6; i++)
    if (ends[i / 2][i % 2] >= 0) close(ends[i / 2][i % 2]);
}

const char *spawn_command(const Frame *frame, Spawned *spawned) {
  static Plan plan;
  int ends[3][2];
  const char *trouble = make_plan(&plan, frame);
  if (trouble) return trouble;
  const char *wants_stdin = fields_find(frame->payload, frame->length, "stdin");
  if (pipes_open(ends, wants_stdin && wants_stdin[0] == '1')) {
    close_all(ends);
    return "no more descriptors";
  }
  plan.in = ends[0][0], plan.out = ends[1][1], plan.err = ends[2][1];
  pid_t pid = vfork();
  if (pid == 0) {
    become(&plan);
    plan.failure = errno;
    _exit(127);
  }
  int mine[3] = {ends[0][1], ends[1][0], ends[2][0]};
  close(ends[0][0]), close(ends[1][1]), close(ends[2][1]);
  ends[0][0] = ends[1][1] = ends[2][1] = -1;
  if (pid < 0 || plan.failure) {
    close_all(ends);
    if (pid < 0) return "no more processes";
    static char text[160];
    snprintf(text, sizeof text, "%s: %s", plan.step, strerror(plan.failure));
    return text;
  }
  for (int i = 0; i < 3; i++)
    if (mine[i] >= 0) fcntl(mine[i], F_SETFL, O_NONBLOCK);
  *spawned = (Spawned){pid, mine[0], mine[1], mine[2]};
  return NULL;
}

static int session_of(const char *pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return -1;
  text[got] = 0;
  /* The name may hold anything, so the fields are counted from its last bracket: state, parent, group, session. */
  const char *after = strrchr(text, ')');
  int session = -1;
  if (!after || sscanf(after + 1, " %*c %*d %*d %d", &session) != 1) return -1;
  return session;
}

void spawn_kill_session(pid_t leader) {
  kill(-leader, SIGKILL);
  DIR *proc = opendir("/proc");
  if (!proc) return;
  for (struct dirent *entry; (entry = readdir(proc));)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && session_of(entry->d_name) == leader)
      kill(atoi(entry->d_name), SIGKILL);
  closedir(proc);
}
