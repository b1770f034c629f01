# Mahti, CSC: CPU nodes of 128 cores, GPU nodes of 128 cores and four A100.
#   https://docs.csc.fi/computing/running/batch-job-partitions/         small: by the core, 1.875 GiB each, 3 days; gpusmall: 1 or 2 GPUs,
#                                                                       122.5 GiB and at most 32 cores each, 36 h; medium: whole nodes
#   https://docs.csc.fi/computing/running/creating-job-scripts-mahti/   --account has to be given; --gres=gpu:a100:1; srun starts MPI
#   https://docs.csc.fi/computing/compiling-mahti/                      module load gcc/10.4.0 cuda/12.6.1
# Memory goes by cores and GPUs, so that cores are asked for as memory needs them.
# Not found: whether small refuses a --mem above its share, MaxArraySize. Nothing here has run there.
NEEDS=ACCOUNT                         # project_2000000
PARTITION=${PARTITION:-small}
CORES_collect=${CORES_collect:-9}     # 16.9 GiB
CORES_analysis=${CORES_analysis:-5}   # 9.4 GiB
CORES=${CORES:-5}                     # of generate too, where it is taken off the GPUs
GPU_PARTITION=${GPU_PARTITION:-gpusmall}
GPU=${GPU---gres=gpu:a100:1}
GPU_CORES=${GPU_CORES:-32}
LAUNCHER=${LAUNCHER:-srun --mpi=pmix --kill-on-bad-exit=1}
modules() {
  module load gcc/10.4.0 cuda/12.6.1          # and openmpi, for ranks
}
