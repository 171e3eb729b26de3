/**
 * A POSIX shell that stands between us and the engine, so that a `kill -9` of this process leaves no engine
 * behind. It holds one end of a socket on descriptor 3; when ours closes, for whatever reason, its watcher
 * ends the engine: TERM, and KILL after the grace time. It writes the engine's process id to descriptor 3
 * first. It ends when the engine ends, with the engine's exit code. PATH is for `sleep` and not exported.
 *
 * Arguments: seconds of grace, then the engine's command line. Should the shell itself be killed, its watcher
 * lives on, and whoever started it must end the whole process group.
 */
export const GUARD_SCRIPT: string = `
PATH=/usr/bin:/bin
umask 077
grace=$1
shift
"$@" 3<&- &
engine=$!
echo "$engine" >&3
(
  read -r order <&3
  kill -TERM "$engine"
  while [ "$grace" -gt 0 ] && kill -0 "$engine"; do
    sleep 1
    grace=$((grace - 1))
  done
  kill -KILL "$engine"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$engine"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`;
