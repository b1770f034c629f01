# Roihu, CSC, which follows Puhti (retired: https://docs.csc.fi/computing/running/batch-job-partitions/, it takes no jobs): CPU nodes of
# 384 cores, GPU nodes of four GH200.
#   https://docs.csc.fi/computing/running/batch-job-partitions/         small: cores and memory as wanted, 72 h; gpumedium: 1 to 4 GPUs,
#                                                                       72 cores and 217 GiB with each, fixed, 36 h
#   https://docs.csc.fi/computing/running/creating-job-scripts-roihu/   --account has to be given; --gres=gpu:gh200:1
#   https://docs.csc.fi/computing/running/example-job-scripts-roihu/    72 cores with each GPU
# GH200 have processors of ARM's, the other nodes of AMD's: one environment does not serve both. As it stands all stages run on the CPU
# nodes. For GPUs, from a GPU login node with an environment made there: GPU=--gres=gpu:gh200:1 PARTITION=gpumedium CORES=72, for all stages:
# gpumedium has no nodes without GPUs, so OPTIONS_collect=--gres=gpu:gh200:1 OPTIONS_analysis=--gres=gpu:gh200:1 as well.
#   https://docs.csc.fi/computing/compiling-roihu/                      the modules
# Not found: MaxArraySize. Nothing here has run there.
NEEDS=ACCOUNT                         # project_2000000
PARTITION=${PARTITION:-small}
GPU=${GPU-}
LAUNCHER=${LAUNCHER:-srun --mpi=pmix --kill-on-bad-exit=1}
modules() {
  if [ -z "$GPU" ]; then module load gcc/15.2.0 openmpi/5.0.10; else module load gcc/14.3.0 cuda/12.9.1 openmpi/5.0.10; fi
}
