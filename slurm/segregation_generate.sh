#!/usr/bin/env bash
# Runs:  segregation generate: mixtures to their steady states, into RUN/generate/unit-*.h5.
# Needs: 4 cores, or a GPU; 3 GB of disk for the paper's 18 000 fields.
# Costs: paper.yaml: two minutes of two cores in all.
#   sbatch slurm/segregation_generate.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/segregation_generate.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=segregation-generate
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=segregation STAGE=generate
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
