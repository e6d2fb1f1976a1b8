#!/usr/bin/env bash
# Says what this gate is called among all of a workflow: in its comment, its artifact and its cache.
#
# Two gates under one name would overwrite each other's reports. GitHub tells apart the jobs of a workflow and
# the jobs of a matrix. It does not tell apart two uses of this action in one job: they are counted here. Nor
# two calls of a reusable workflow: nothing that a step can see differs, and is the same in the next run; for
# these there is the input `name`.
#
# Environment: INPUT_NAME      what the user calls the gate; empty for the job's id
#              INPUT_ARTIFACT  name of the artifact; empty for one made of the gate's
#              INPUT_INDEX     index of the job in its matrix
#              INPUT_TOTAL     number of jobs of the matrix
set -euo pipefail
LC_ALL=C # bytes beyond ASCII are kept as they are

id=${INPUT_NAME:-$GITHUB_JOB}
if [ "${INPUT_TOTAL:-1}" != 1 ]; then id+=-$INPUT_INDEX; fi
id=${id//[[:cntrl:]\":<>|*?\\\/,]/-} # what names of artifacts and keys of caches may not have

first=$id
number=1
while [[ ${NPU_COMPAT_GATES:-/} == */"$id"/* ]]; do
  number=$((number + 1))
  id=$first-$number
done
echo "NPU_COMPAT_GATES=${NPU_COMPAT_GATES:-/}$id/" >>"$GITHUB_ENV"

artifact=${INPUT_ARTIFACT:-npu-compat-$id}
{
  echo "id=$id"
  echo "artifact=${artifact//[[:cntrl:]]/-}"
} >>"$GITHUB_OUTPUT"
