"""Play scenes with every balancer and print what came of them.

PYTHONPATH=hack python -m fleet
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import median

from fleet import traffic
from fleet.traffic import BALANCERS, Scene

SCENES = (
    Scene("3 models, 2 servers of 1, half busy", per_second=0.7),
    Scene("the same, busy", per_second=1.0),
    Scene("the same, idle", per_second=0.1),
    Scene("the same, 8 clients", per_second=0.0, clients=8),
    Scene("the same, 16 clients", per_second=0.0, clients=16),
    Scene("short loads, 8 clients", per_second=0.0, clients=8, cold_seconds=0.5, mean_seconds=0.5),
    Scene("long loads", per_second=1.0, cold_seconds=8.0, mean_seconds=0.5),
    Scene("3 models, 2 servers of 1, steeper", per_second=1.0, zipf=1.5),
    Scene("8 models, 3 servers of 2", servers=3, most_models=2, models=8, per_second=1.5),
    Scene("20 models, 8 servers of 2, 4 slots", servers=8, most_models=2, slots=4, models=20, per_second=8.0),
    Scene("2 models, 2 servers of 1", models=2, per_second=1.0),
    Scene("1 model, 3 servers", models=1, servers=3, per_second=2.0),
    Scene("2 models, 3 servers of 1, one down for 60 s", models=2, servers=3, outage=(120.0, 60.0)),
    Scene("1 client that alternates", per_second=0.0, clients=1),
)


def main(words: Sequence[str] | None = None) -> int:
    """Print a table in Markdown: medians over the seeds."""
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how often each scene is played (5)")
    chosen = parser.parse_args(words)
    print("| scene | balancer | loads | p50 s | p95 s | refused |")
    print("| --- | --- | --: | --: | --: | --: |")
    for scene in SCENES:
        for name, make in BALANCERS.items():
            outcomes = [traffic.play(scene, make, seed) for seed in range(1, chosen.seeds + 1)]
            loads, refused = (
                median(getattr(one, field) for one in outcomes) for field in ("loads", "refused")
            )
            p50 = median(one.p50_seconds for one in outcomes)
            p95 = median(one.p95_seconds for one in outcomes)
            print(f"| {scene.name} | {name} | {loads:g} | {p50:.1f} | {p95:.1f} | {refused:g} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
