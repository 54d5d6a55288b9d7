/**
 * The part of long commands that runs in the guest: Perl, because perl-base is essential in Debian and Ubuntu, starts
 * in milliseconds and can do what a shell cannot (wait for two pipes at once, cut output at a limit).
 *
 * It acts as the user of the command, in a folder of that user. Each command has a folder named by its id with
 * `command`, `meta` (boot id, pid and birth of the keeper, the same of the command), `stdout`, `stderr`, `truncated` when
 * output went past the limit, and `exit` (code, seconds since 1970) once it ended. The keeper is a detached process
 * that copies the output and waits for the end, so neither hostd nor a connection needs to live on.
 *
 * Calls: `start ROOT ID COMMAND_BYTES` with command and stdin on stdin; `list ROOT`; `get ROOT ID`;
 * `read ROOT ID OUT_OFFSET OUT_SEEN OUT_MAX ERR_OFFSET ERR_SEEN ERR_MAX WAIT_MS`; `signal ROOT ID NAME`; `delete ROOT ID`.
 * Answers are lines that processRecord.ts reads; `read` adds two counts and then the bytes.
 */
export const processTool = String.raw`
use strict;
no warnings;
my ($verb, $root, @args) = @ARGV;
my ($output_max, $kept_max, $listed_max) = (67108864, 100, 200);
my $id_pattern = qr/^prc_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
binmode STDIN;
binmode STDOUT;

sub slurp {
  my ($path, $max) = @_;
  my $text = '';
  return unless -f $path && open(my $file, '<:raw', $path);
  read($file, $text, $max);
  return $text;
}
sub spit {
  my ($folder, $name, $text) = @_;
  open(my $file, '>:raw', "$folder/.$name") or return 0;
  print $file $text;
  return close($file) && rename("$folder/.$name", "$folder/$name");
}
sub boot_id { my $id = slurp('/proc/sys/kernel/random/boot_id', 64); $id =~ s/\s//g; return $id; }
sub stat_of {
  my $text = slurp_proc("/proc/$_[0]/stat");
  return unless defined $text;
  $text =~ s/.*\)//s;
  return split ' ', $text;
}
sub slurp_proc { my $text; open(my $file, '<:raw', $_[0]) or return; read($file, $text, 4096); return $text; }
sub birth { return (stat_of($_[0]))[19]; }

sub state_of {
  my ($id) = @_;
  my $folder = "$root/$id";
  my ($boot, $keeper, $born, $pid, $pid_born) = split ' ', slurp("$folder/meta", 200);
  # The user of the command owns these files: a pid of 1 or none would mean others when it is signalled.
  ($keeper, $pid) = () unless $keeper =~ /^\d+$/ && $pid =~ /^\d+$/ && $keeper > 1 && $pid > 1;
  my $now_born = defined $pid && $boot eq boot_id() ? birth($keeper) : undef;
  my $alive = defined $now_born && $now_born eq $born ? 1 : 0;
  # A session lives on without its keeper, and then only the birth tells that a pid is still the one that was started.
  my $leads = $alive || defined $pid && $boot eq boot_id() && defined $pid_born && birth($pid) eq $pid_born ? 1 : 0;
  my ($code, $ended) = split ' ', slurp("$folder/exit", 100);
  return {
    id => $id, folder => $folder, keeper => $keeper, pid => $pid, alive => $alive, leads => $leads, code => $code, ended => $ended,
    out => (-s "$folder/stdout") || 0, err => (-s "$folder/stderr") || 0, cut => -e "$folder/truncated" ? 1 : 0,
  };
}
sub line_of {
  my ($state, $command_max) = @_;
  my $command = unpack('H*', slurp("$state->{folder}/command", $command_max));
  my $known = sub { defined $_[0] && $_[0] ne '' ? $_[0] : '-' };
  return join(' ', $state->{id}, $known->($state->{pid}), $state->{alive}, $known->($state->{code}),
    $known->($state->{ended}), $state->{out}, $state->{err}, $state->{cut}, $known->($command));
}
sub ids { opendir(my $dir, $root) or return (); return reverse sort grep { /$id_pattern/ } readdir $dir; }
sub forget {
  my ($folder) = @_;
  opendir(my $dir, $folder) or return;
  for my $name (readdir $dir) { unlink "$folder/$name" unless $name eq '.' || $name eq '..'; }
  rmdir $folder;
}

sub make_room {
  my @ended = grep { my $state = state_of($_); !$state->{alive} } ids();
  my $count = () = ids();
  while ($count >= $kept_max && @ended) { forget("$root/" . pop @ended); $count--; }
  return $count < $kept_max;
}

sub copy_bytes {
  my ($pipe) = @_;
  my $got = sysread($pipe->{from}, my $bytes, 65536);
  return 0 unless $got;
  my $room = $output_max - $pipe->{count};
  my $keep = $got < $room ? $got : $room;
  my $wrote = $keep > 0 ? syswrite($pipe->{to}, $bytes, $keep) : 0;
  $pipe->{count} += $wrote;
  if ($wrote < $got && !-e "$pipe->{folder}/truncated") { spit($pipe->{folder}, 'truncated', "1\n"); }
  return 1;
}
sub ready_pipes {
  my ($pipes, $wait) = @_;
  my $bits = '';
  vec($bits, fileno($_->{from}), 1) = 1 for @$pipes;
  return () unless select(my $ready = $bits, undef, undef, $wait) > 0;
  return grep { vec($ready, fileno($_->{from}), 1) } @$pipes;
}
sub keep {
  my ($folder, $pid, @pipes) = @_;
  my $ended = 0;
  while (@pipes || !$ended) {
    for my $pipe (ready_pipes(\@pipes, !@pipes ? 0 : $ended ? 3600 : 0.5)) {
      @pipes = grep { $_ != $pipe } @pipes unless copy_bytes($pipe);
    }
    # With no pipe left the end is all there is to wait for; with one, SIGCHLD interrupts the wait for it.
    next if $ended || waitpid($pid, @pipes ? 1 : 0) != $pid;
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    for my $round (1 .. 64) {
      my @ready = ready_pipes(\@pipes, 0) or last;
      for my $pipe (@ready) { @pipes = grep { $_ != $pipe } @pipes unless copy_bytes($pipe); }
    }
    spit($folder, 'exit', "$code " . time() . "\n");
    $ended = 1;
  }
}
sub run_command {
  my ($folder, $out, $err) = @_;
  $SIG{$_} = 'DEFAULT' for qw(HUP PIPE CHLD);
  my $bytes = -s "$folder/command";
  my @command = $bytes < 100000 ? ('-c', slurp("$folder/command", $bytes)) : ("$folder/command");
  open(STDIN, '<', -s "$folder/stdin" ? "$folder/stdin" : '/dev/null');
  unlink "$folder/stdin";
  open(STDOUT, '>&', $out);
  open(STDERR, '>&', $err);
  exec '/usr/bin/setsid', '/bin/sh', @command;
  exit 127;
}
sub become_keeper {
  my ($folder, $tell) = @_;
  setpgrp(0, 0);
  $SIG{$_} = 'IGNORE' for qw(HUP PIPE INT TERM);
  $SIG{CHLD} = sub { };
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>', '/dev/null');
  open(STDERR, '>', '/dev/null');
  my @pipes;
  my @ends;
  for my $name ('stdout', 'stderr') {
    pipe(my $from, my $end) or exit 1;
    open(my $to, '>:raw', "$folder/$name") or exit 1;
    push @pipes, { from => $from, to => $to, count => 0, folder => $folder };
    push @ends, $end;
  }
  my $pid = fork;
  exit 1 unless defined $pid;
  if ($pid == 0) { close $_->{from} for @pipes; $SIG{$_} = 'DEFAULT' for qw(INT TERM); run_command($folder, @ends); }
  close $_ for @ends;
  spit($folder, 'meta', join(' ', boot_id(), $$, birth($$), $pid, birth($pid)) . "\n") or exit 1;
  syswrite($tell, "ok\n");
  close $tell;
  chdir '/';
  keep($folder, $pid, @pipes);
  exit 0;
}
sub start {
  my ($id, $command_bytes) = @args;
  my $path = '';
  for my $name (grep { $_ ne '' } split '/', $root) { $path .= "/$name"; mkdir $path, 0700 unless -d $path; }
  make_room() or return print "full\n";
  my $folder = "$root/$id";
  mkdir($folder, 0700) or return print "failed $!\n";
  read(STDIN, my $command, $command_bytes) == $command_bytes or return print "failed short input\n";
  spit($folder, 'command', $command) or return print "failed $!\n";
  local $/;
  my $input = <STDIN>;
  spit($folder, 'stdin', $input) or return print "failed $!\n" if length $input;
  pipe(my $heard, my $tell) or return print "failed $!\n";
  my $keeper = fork;
  return print "failed $!\n" unless defined $keeper;
  if ($keeper == 0) { close $heard; become_keeper($folder, $tell); }
  close $tell;
  my $said = <$heard>;
  return print "failed to start\n" unless $said eq "ok\n";
  print line_of(state_of($id), 1048576), "\n";
}

sub read_output {
  my ($id, $out_from, $out_seen, $out_max, $err_from, $err_seen, $err_max, $wait_ms) = @args;
  my ($state, $waited) = (undef, 0);
  while (1) {
    $state = state_of($id);
    last if $out_max && $state->{out} > $out_seen || $err_max && $state->{err} > $err_seen;
    last if defined $state->{code} || !$state->{alive} || $waited >= $wait_ms;
    my $pause = $waited < 1000 ? 20 : 60;
    select(undef, undef, undef, $pause / 1000);
    $waited += $pause;
  }
  my @parts = map { part(@$_) } ["$state->{folder}/stdout", $out_from, $out_max], ["$state->{folder}/stderr", $err_from, $err_max];
  print line_of($state, 0), ' ', length $parts[0], ' ', length $parts[1], "\n", @parts;
}
sub part {
  my ($path, $from, $max) = @_;
  my $bytes = '';
  return $bytes unless $max > 0 && -f $path && open(my $file, '<:raw', $path);
  seek($file, $from, 0);
  read($file, $bytes, $max);
  return $bytes;
}

sub kill_session {
  my ($leader) = @_;
  opendir(my $proc, '/proc') or return;
  for my $pid (grep { /^\d+$/ } readdir $proc) { kill 'KILL', $pid if (stat_of($pid))[3] eq $leader; }
}
sub wait_gone {
  my ($id, $rounds) = @_;
  for my $round (1 .. $rounds) {
    my $state = state_of($id);
    return 1 unless $state->{alive};
    select(undef, undef, undef, 0.02);
  }
  return 0;
}
sub delete_process {
  my ($id) = @args;
  my $state = state_of($id);
  if ($state->{leads}) {
    kill 'KILL', -$state->{pid};
    kill_session($state->{pid});
  }
  if ($state->{alive}) {
    # A program that made a session of its own may hold the pipes: the keeper does not wait for it.
    wait_gone($id, 25) or kill('KILL', $state->{keeper}), wait_gone($id, 25);
  }
  forget($state->{folder});
  print "done\n";
}
sub signal_process {
  my ($id, $name) = @args;
  my $state = state_of($id);
  return print "over\n" if defined $state->{code} || !$state->{alive};
  kill $name, -$state->{pid};
  print line_of($state, 1048576), "\n";
}
sub list { my $left = $listed_max; for my $id (ids()) { last unless $left--; print line_of(state_of($id), 4096), "\n"; } }

if ($verb ne 'list' && $verb ne 'start' && !-d "$root/$args[0]") { print "missing\n"; exit 0; }
my %verbs = (
  start => \&start, list => \&list, read => \&read_output, signal => \&signal_process, delete => \&delete_process,
  get => sub { print line_of(state_of($args[0]), 1048576), "\n" },
);
$verbs{$verb}->();
`;
