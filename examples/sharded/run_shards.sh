#!/usr/bin/env bash
# One verdict on many models that are judged in parts, here or by the jobs of a CI matrix.
#
#   run_shards.sh              all parts one after the other, then the verdict
#   run_shards.sh shard I N    part I of N
#   run_shards.sh merge N      the verdict on all N parts
#
# Environment: GATES  directory of the gate files, as seen from where this starts
#              OUT    directory of the records and results
#              SPLIT  gates: a gate file lies in one part; items: pytest-split deals out single checks
set -euo pipefail

GATES=${GATES:-examples/sharded}
OUT=${OUT:-npu-shards}
SPLIT=${SPLIT:-gates}

# Prints what pytest is told to run, a word a line.
part() {
  local i=$1 n=$2 index=0 gate
  if [ "$SPLIT" = items ]; then
    printf '%s\n' "$GATES"/*.npu.yaml "--splits=$n" "--group=$i"
    return
  fi
  for gate in "$GATES"/*.npu.yaml; do
    if [ $((index % n + 1)) -eq "$i" ]; then printf '%s\n' "$gate"; fi
    index=$((index + 1))
  done
}

shard() {
  local words code=0
  mkdir -p "$OUT"
  rm -f "$OUT/shard-$1.json" # a record of an earlier run must not stand in for this one
  mapfile -t words < <(part "$1" "$2")
  if [ ${#words[@]} -eq 0 ]; then
    echo "part $1 of $2 has no gate file: use fewer parts, or SPLIT=items" >&2
    return 2
  fi
  python -m pytest "${words[@]}" --npu-shard="$1/$2" --npu-json="$OUT/shard-$1.json" || code=$?
  # 1 is red and 5 is empty: the record says so, and the verdict is that of the merged run.
  case $code in 0 | 1 | 5) return 0 ;; *) return "$code" ;; esac
}

verdict() {
  npu-compat merge "$OUT"/shard-*.json --expect "$1" --gates "$GATES" \
    --junit "$OUT/junit.xml" --html "$OUT/report.html" --markdown "$OUT/summary.md"
}

case ${1:-all} in
  shard) shard "$2" "$3" ;;
  merge) verdict "$2" ;;
  all)
    mkdir -p "$OUT"
    rm -f "$OUT"/shard-*.json
    for i in 1 2 3; do shard "$i" 3 || echo "part $i ended early: the verdict will say so" >&2; done
    verdict 3
    ;;
  *) echo "usage: run_shards.sh [shard I N | merge N]" >&2; exit 2 ;;
esac
