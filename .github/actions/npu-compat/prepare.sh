#!/usr/bin/env bash
# Says where pip keeps what it downloads, and for what platform: the names of the cache.
set -euo pipefail

# A pull request must not bring verdicts along: only those count that a run of this action has kept.
rm -rf .npu_compat_cache .pytest_cache/d/npu-compat

{
  echo "pip-cache=$(python -m pip cache dir)"
  echo "platform=$(python -c 'import sys, sysconfig; print(sysconfig.get_platform(), *sys.version_info[:2], sep="-")')"
} >>"$GITHUB_OUTPUT"
