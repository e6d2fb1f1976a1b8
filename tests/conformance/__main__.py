"""`make conformance`: agreement with the reference per operator kind and variant."""

from __future__ import annotations

import sys
from collections import Counter

from conformance.compare import Comparison, all_comparisons
from conformance.exceptions import NOT_COMPARED, WITHOUT_RULE


def main() -> int:
    """Prints agreement and every disagreement.

    Returns:
        0 if everything agrees, else 1.
    """
    total: Counter[tuple[str, str]] = Counter()
    agreeing: Counter[tuple[str, str]] = Counter()
    variants: Counter[str] = Counter()
    variants_agreeing: Counter[str] = Counter()
    wrong: list[Comparison] = []
    for comparison in all_comparisons():
        key = (comparison.source, comparison.kind)
        total[key] += 1
        variants[comparison.variant] += 1
        if comparison.agrees:
            agreeing[key] += 1
            variants_agreeing[comparison.variant] += 1
        else:
            wrong.append(comparison)
    for key in sorted(total):
        print(f"{key[0]:8} {key[1]:32} {agreeing[key]:5} of {total[key]:5} agree")
    print()
    for variant in sorted(variants):
        print(f"{variant:41} {variants_agreeing[variant]:5} of {variants[variant]:5} agree")
    print(f"\n{'all':41} {sum(agreeing.values()):5} of {sum(total.values()):5} agree")
    print(
        f"\n{len(NOT_COMPARED)} unit cases are not compared, 1 figure of {len(WITHOUT_RULE)} network differs"
    )
    print("knowingly (tests/conformance/exceptions.py):")
    for name, reason in {**NOT_COMPARED, **WITHOUT_RULE}.items():
        print(f"  {name}: {reason}")
    for comparison in wrong:
        print(
            f"\nDISAGREES {comparison.source} {comparison.kind} {comparison.name} "
            f"on {comparison.variant}\n  reference: {comparison.expected}\n  here:      {comparison.actual}"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
