#!/usr/bin/env bash
# Runs:  segregation collect: all units into The Well's layout, RUN/data, and RUN/dataset.h5.
# Needs: 2 cores, 1.5 GB of disk.
# Costs: a minute.
#   sbatch slurm/segregation_collect.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/segregation_collect.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=segregation-collect
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
STUDY=segregation STAGE=collect
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
