#!/usr/bin/env bash
# Python in a container made of slurm/quench.def: PYTHON=.../slurm/contained.sh in slurm/site.sh. QUENCH_IMAGE: the container, by default
# quench.sif in the repository. Folders that it is to see beside home, the repository and the current one: APPTAINER_BIND, such as
# APPTAINER_BIND=/scratch/project_462000000. APPTAINER=singularity where that is its name (then SINGULARITY_BIND).
quench=$(cd "$(dirname "$0")/.." && pwd)
image=${QUENCH_IMAGE:-$quench/quench.sif}
[ -e "$image" ] || { echo "$image: not there; make it as slurm/quench.def says, or set QUENCH_IMAGE" >&2; exit 2; }
gpu=
[ ! -e /dev/nvidiactl ] || gpu=--nv
exec "${APPTAINER:-apptainer}" exec $gpu --bind "$quench" --bind "$PWD" "$image" python "$@"
