# Any cluster with a partition of CPU nodes and one of GPU nodes, both shared: copy, and put in the names that sinfo shows.
#   https://slurm.schedmd.com/sbatch.html   the options; https://slurm.schedmd.com/gres.html   --gres=gpu:1, --gpus-per-task=1
PARTITION=${PARTITION:-cpu}
GPU_PARTITION=${GPU_PARTITION:-gpu}
GPU=${GPU---gres=gpu:1}
GPU_CORES=${GPU_CORES:-8}             # what belongs to a GPU: a node's cores by its GPUs
modules() {
  module load gcc cuda
}
