"""Named exceptions: reference cases that are not compared, or knowingly differ, each with its reason."""

from __future__ import annotations

__all__ = ["NOT_COMPARED", "WITHOUT_RULE"]

_PROCESS = (
    "A quirk of TVM's process state (the query object is static, keyword options are ignored, an "
    "environment variable is read once). Here every analysis is judged by the variant it names."
)
_NETWORK = (
    "Asserted by TVM's own test on a downloaded model, which is not part of the reference data."
)
_COMPILER = "About the compiler's log output, not about placement."

NOT_COMPARED: dict[str, str] = {
    "option_tvm_run_001": _PROCESS,
    "option_tvm_run_002": _PROCESS,
    "option_tvm_run_003": _PROCESS,
    "option_tvm_run_005": _PROCESS,
    "graph_option_002": _COMPILER,
    "graph_option_003": _COMPILER,
    **{f"network_network_{n:03}": _NETWORK for n in range(1, 6)},
}
"""Id of a unit case -> why there is nothing to compare."""

WITHOUT_RULE: dict[str, str] = {
    "shufflenet_v2_x0_5__relu__qdq.onnx": (
        "Only the count without the no-multiply-accumulate rule differs (30 here, 46 there): the "
        "reference's graph has 48 reshapes, canonical-form.md's table gives the model's 32. The 16 "
        "further ones, one for each channel shuffle, would be partitions of a lone reshape. With the rule, "
        "which is the default, both have 20 partitions."
    ),
}
"""Network -> why its number of partitions without the no-multiply-accumulate rule differs."""
