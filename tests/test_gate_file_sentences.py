"""Every sentence of the gate file's contract, and the tests that fail if it is broken."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
from models import SHARED

TESTS = Path(__file__).resolve().parent
CONTRACT = SHARED.parent / "design" / "gate-file.md"

SEMANTICS: dict[str, tuple[str, ...]] = {
    "Test ids are `npu-compat.yaml::detector[ethos-n78]::npu_ratio`: file, model on a target, check.": (
        "integration/test_gate_run.py::test_green_run",
        "gate/test_outcome.py::test_ids_are_those_of_tests",
    ),
    "No number ever appears in an id.": (
        "integration/test_gate_run.py::test_ids_carry_no_numbers_of_the_gate",
    ),
    "A ratio needs its unit: `96%`, `0.5pp`.": (
        "gate/test_threshold.py::test_every_comparison_sign_is_read_and_shown",
        "gate/test_drift.py::test_ratio_drops_by_percentage_points",
    ),
    "`96`, `0.96` and `.96` on a ratio metric are errors that say what to write.": (
        "gate/test_threshold.py::test_ratio_without_percent_sign_says_what_to_write",
        "gate/test_threshold.py::test_what_a_ratio_hint_says_to_write_is_accepted",
    ),
    "Times, bytes and counts carry theirs.": (
        "gate/test_threshold.py::test_bytes_units",
        "gate/test_threshold.py::test_what_is_no_threshold_is_refused",
        "gate/test_threshold.py::test_thresholds_on_estimates",
    ),
    "Closed schema: an unknown key": (
        "gate/test_loading.py::test_misspelt_names_have_a_suggestion",
    ),
    ", a duplicate key": ("gate/test_loading.py::test_error_points_at_its_place",),
    ", a metric that does not exist": (
        "gate/test_loading.py::test_misspelt_names_have_a_suggestion",
        "gate/test_loading.py::test_unknown_metric_of_a_target_is_named_with_its_place",
    ),
    ", a glob that matches nothing": (
        "gate/test_loading.py::test_error_points_at_its_place",
        "integration/test_strict.py::test_error_needs_no_strict",
    ),
    ", two models with one id": ("gate/test_loading.py::test_error_points_at_its_place",),
    ", contradicting bounds (`min` over `max`)": (
        "gate/test_loading.py::test_error_points_at_its_place",
        "gate/test_threshold.py::test_long_form_errors_say_what_to_do",
    ),
    ", an alias bomb": (
        "gate/test_yaml_tree.py::test_too_much_is_one_error",
        "gate/test_loading_properties.py::test_any_aliases",
    ),
    ", a waiver without reason": ("gate/test_waiver.py::test_waiver_that_is_not_complete",),
    ": each is an error with `file:line:column`, the source line, a caret,": (
        "gate/test_yaml_tree.py::test_error_is_file_line_column_source_caret_hint",
        "gate/test_yaml_tree.py::test_caret_stands_under_its_character_on_the_screen",
    ),
    "and the nearest valid spelling.": (
        "gate/test_loading.py::test_misspelt_names_have_a_suggestion",
    ),
    "Never a Python traceback.": (
        "integration/test_errors.py::test_no_gate_file_ends_in_a_traceback",
        "gate/test_loading_properties.py::test_any_change_of_a_valid_file",
    ),
    "A model that cannot be analyzed (missing, a Git LFS pointer, corrupt,": (
        "integration/test_errors.py::test_every_check_fails_with_the_models_own_reason",
    ),
    "imported by nobody,": ("integration/test_gate_sentences.py::test_model_that_nobody_imports",),
    "crashed, timed out)": (
        "integration/test_worker_run.py::test_every_check_of_the_model_fails_and_no_other",
        "integration/test_errors.py::test_crash_of_the_analysis_is_a_reason",
    ),
    "fails **every** check of that model with its own reason.": (
        "integration/test_errors.py::test_every_check_fails_with_the_models_own_reason",
        "integration/test_errors.py::test_other_models_are_still_judged",
        "integration/test_severity.py::test_model_that_cannot_be_judged_fails_a_warning_too",
        "integration/test_waivers.py::test_waiver_does_not_excuse_a_model_that_cannot_be_analyzed",
    ),
    "It is never 0% and never 100%.": (
        "gate/test_threshold.py::test_model_that_could_not_be_analyzed_never_passes",
        "gate/test_evaluation.py::test_model_that_cannot_be_analyzed_is_no_drop",
    ),
    "`unknown` placements and estimate-only support count as not on the NPU,": (
        "analysis/test_metrics.py::test_figures_of_a_small_model",
        "analysis/test_placement.py::test_reason_names_actual_and_allowed_values",
        "integration/test_gate_sentences.py::test_only_what_is_placed_on_the_npu_counts",
    ),
    "and are listed apart.": ("render/test_text.py::test_placement_failure",),
    "A waiver turns a failing check into an expected failure until its date;": (
        "integration/test_waivers.py::test_active_waiver_expects_the_failure",
        "gate/test_waiver.py::test_waiver_ends_on_its_day",
    ),
    "from that day the check fails and names the date.": (
        "integration/test_waivers.py::test_expired_waiver_fails_and_names_the_date",
        "gate/test_evaluation.py::test_severity_and_waiver_of_a_rise",
    ),
    "A waiver that no longer has anything to excuse is reported; `--npu-strict-waivers` makes it fail.": (
        "integration/test_waivers.py::test_unused_waiver_is_reported_and_fails_only_on_request",
        "gate/test_integrity.py::test_unused_waiver",
    ),
    "Both are judged on full, unfiltered runs only.": (
        "integration/test_waivers.py::test_filtered_run_says_nothing_of_waivers",
        "integration/test_waivers.py::test_waiver_whose_check_alone_was_judged_is_not_judged",
        "gate/test_integrity.py::test_waivers_are_judged_on_full_runs_only",
    ),
    "With a baseline: `max_drop` compares with it;": (
        "gate/test_evaluation.py::test_verdict_and_wording",
        "integration/test_baseline_run.py::test_table",
    ),
    "an operator that was on the NPU and is not any more is named first in the failure.": (
        "integration/test_baseline_run.py::test_table",
    ),
    "A model missing from the baseline is a visible note, not an error.": (
        "integration/test_baseline_run.py::test_table",
        "integration/test_strict.py::test_note_is_an_error_under_strict",
        "gate/test_integrity.py::test_model_that_the_baseline_lacks",
    ),
    "`--npu-update-baseline` writes it (sorted, stable, diff-friendly);": (
        "integration/test_baseline_run.py::test_update_writes_what_the_next_run_holds",
        "gate/test_baseline.py::test_layout_is_made_for_diffs",
        "gate/test_baseline.py::test_one_changed_operator_is_one_changed_line",
        "gate/test_baseline.py::test_any_entries_survive",
    ),
    "`--npu-baseline=FILE` takes another one, e.g. the base branch's.": (
        "integration/test_baseline_run.py::test_baseline_of_another_branch",
    ),
    "A result better than the baseline is a nudge, not a failure.": (
        "integration/test_baseline_run.py::test_table",
        "gate/test_integrity.py::test_better_than_the_baseline_is_a_nudge_even_if_strict",
    ),
    "When model and gate file are unchanged but a figure moved, the report says that the tool or its "
    "rules changed, with both versions.": (
        "integration/test_baseline_run.py::test_table",
        "analysis/test_comparison.py::test_cause",
    ),
    "Severity `warn` reports without failing.": (
        "integration/test_severity.py::test_warn_is_shown_and_passes",
    ),
    "`off` removes an inherited check, visibly.": (
        "integration/test_severity.py::test_off_is_skipped_visibly",
    ),
}
"""The part on semantics: its sentences in order, nothing left out."""

COMMENTS: dict[str, tuple[str, ...]] = {
    "`npu-compat.yaml` (or `*.npu.yaml`; ini option `npu_compat_files` adds globs)": (
        "integration/test_gate_run.py::test_names_of_gate_files",
        "integration/test_gate_run.py::test_ini_option_adds_globs",
    ),
    "# variant 4tops-4ple unless said otherwise": ("gate/test_loading.py::test_targets",),
    "# hold for every model below unless overridden": (
        "gate/test_loading.py::test_thresholds_of_a_model_override_those_of_the_file",
    ),
    '# a bare number means "exactly"; for counts write "<= 3" for a ceiling': (
        "gate/test_threshold.py::test_bare_number_means_exactly",
        "gate/test_threshold.py::test_both_sides_of_a_bound",
    ),
    "# a path or a glob": (
        "gate/test_loading.py::test_short_form",
        "gate/test_loading.py::test_globs_find_files_in_alphabetical_order",
    ),
    "phone: {backend: nnapi}": (
        "integration/test_backend_run.py::test_every_model_on_both_targets",
        "target/test_byoc.py::test_float_network_is_placed_as_tvm_places_it",
    ),
    "ours: {profile: targets/acme.yaml}": ("gate/test_loading.py::test_target_of_a_profile",),
    "# absolute floor and largest drop from the baseline": (
        "gate/test_drift.py::test_drift_stands_beside_bounds_and_severity",
        "gate/test_evaluation.py::test_tolerance_is_kept_to_the_percentage_point",
        "gate/test_evaluation.py::test_tolerance_is_kept_to_the_unit",
    ),
    "# error (default) | warn | off": (
        "gate/test_threshold.py::test_long_form",
        "gate/test_loading.py::test_error_points_at_its_place",
    ),
    "# kinds that may run on the CPU; any other fails": (
        "gate/test_kinds.py::test_kinds_on_the_cpu",
        "gate/test_kinds.py::test_failure_lists_only_the_operators_that_are_not_allowed",
    ),
    "# pins dynamic dimensions": (
        "integration/test_errors.py::test_pinning_inputs_makes_a_dynamic_model_judgeable",
    ),
    "# judge a float model as if it had been quantized": (
        "integration/test_float_models.py::test_gate_file",
    ),
    'thresholds: {estimated_latency: "<= 50 ms"}': (
        "integration/test_estimates_run.py::test_threshold_on_an_estimate_asks_for_it",
    ),
    "limits: {timeout: 120 s, memory: 4 GB}": (
        "gate/test_loading.py::test_limits",
        "integration/test_worker_run.py::test_every_check_of_the_model_fails_and_no_other",
    ),
}
"""What the examples say besides."""

NAMED = sorted({test for tests in (*SEMANTICS.values(), *COMMENTS.values()) for test in tests})


@pytest.fixture
def contract() -> str:
    """The text with single spaces."""
    if not CONTRACT.is_file():
        pytest.skip(f"{CONTRACT.name} lies beside a clone, and not here")
    return " ".join(CONTRACT.read_text(encoding="utf-8").split())


@functools.cache
def functions_of(file: str) -> frozenset[str]:
    path = TESTS / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.parse("")
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("test", NAMED)
def test_named_test_exists(test: str) -> None:
    file, name = test.split("::")
    assert name in functions_of(file)


def test_no_sentence_is_without_a_test(contract: str) -> None:
    rest = contract.partition("Semantics ")[2]
    assert rest
    for sentence in SEMANTICS:
        before, found, rest = rest.partition(sentence)
        assert found, f"the contract does not say: {sentence}"
        assert not re.search(r"\w", before), f"nothing tests: {before}"
    assert not re.search(r"\w", rest), f"nothing tests: {rest}"


@pytest.mark.parametrize("quoted", COMMENTS)
def test_comment_is_quoted_rightly(quoted: str, contract: str) -> None:
    assert quoted in contract
