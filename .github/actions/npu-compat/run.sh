#!/usr/bin/env bash
# Runs the gate. Its exit code is the verdict; it is never green without a record of what was judged.
#
# Environment: INPUT_COMMAND   check or pytest
#              INPUT_ARGS      further arguments, one a line
#              INPUT_STRICT    true or false
#              INPUT_BASELINE  a file; empty for those of the gate files
set -uo pipefail

# GitHub reads a command only at the beginning of a line, and a run that was killed may not have ended its last one.
error() { printf '\n::error title=npu-compat::%s\n' "$1"; }

fail() {
  error "$1"
  exit 2
}

case ${INPUT_COMMAND:-check} in
  check) command=(npu-compat check) prefix=-- ;;
  pytest) command=(python -m pytest) prefix=--npu- ;;
  *) fail 'command is check or pytest' ;;
esac
case ${INPUT_STRICT:-true} in
  true) command+=("${prefix}strict") ;;
  false) ;;
  *) fail 'strict is true or false' ;;
esac
if [ -n "${INPUT_BASELINE:-}" ]; then command+=("${prefix}baseline=$INPUT_BASELINE"); fi
while IFS= read -r word; do
  word=${word%$'\r'}
  if [ -n "$word" ]; then command+=("$word"); fi
done <<<"${INPUT_ARGS:-}"

directory=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/npu-compat.XXXXXX") || exit
echo "directory=$directory" >>"$GITHUB_OUTPUT"

"${command[@]}" "${prefix}github" \
  "${prefix}json=$directory/run.json" "${prefix}junit=$directory/junit.xml" \
  "${prefix}html=$directory/report.html" "${prefix}sarif=$directory/results.sarif" \
  "${prefix}comment=$directory/comment.md"
code=$?

record=$directory/run.json
if [ ! -s "$record" ]; then
  echo 'verdict=failed' >>"$GITHUB_OUTPUT"
  error "The run ended with code $code and left no record of what it judged; the log says why."
  if [ $code -eq 0 ]; then code=1; fi
elif [ $code -eq 0 ] && ! npu-compat merge "$record" >/dev/null; then
  error 'The command succeeded, but no check was judged.'
  code=1
fi
exit $code
