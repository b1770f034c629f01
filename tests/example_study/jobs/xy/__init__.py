"""A quench of the XY model in two dimensions: vortices that meet and vanish.

The worked example of CONTRIBUTING.md, "Add a study": as a package jobs/xy it is a study of Quench.
"""

from jobs.study import Study

STUDY = Study(
    name="xy",
    model="XY",
    setting="system.temperature=0.5",
    examples=(("quenches from disorder, their vortices in time", "all xy.yaml --run runs/xy"),),
)
