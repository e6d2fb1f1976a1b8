#!/usr/bin/env bash
# Installs pytest-npu-compat.
#
# Environment: INPUT_VERSION  a version; empty: the checkout that this action is part of; `installed`
set -euo pipefail

case ${INPUT_VERSION:-} in
  '') package=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd) ;;
  installed)
    npu-compat --version
    exit
    ;;
  *[!0-9A-Za-z.+!]*)
    echo "::error title=npu-compat::version is a number such as 1.2.0" >&2
    exit 2
    ;;
  *) package="pytest-npu-compat==$INPUT_VERSION" ;;
esac
python -m pip install --disable-pip-version-check "$package"
