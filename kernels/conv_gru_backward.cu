// The way back through a step of conv_gru.cu: what its fields, hidden states and parameters change in the loss.
//
// With dH' the gradient of the loss with respect to a new state H' = n + u (H - n), and s' = s (1 - s), tanh' = 1 - tanh^2:
//   g_n = dH' (1 - u) tanh'   g_u = dH' (H - n) u'   g_r = (conv3^T z_q) H r'   z_q = tanh' conv1^T g_n   (gradients before the squashing)
//   z_x = tanh' conv1^T [g_u g_r g_n]   z_H = tanh' conv1^T [g_u g_r]   dx = conv3^T z_x   dH = dH' u + r conv3^T z_q + conv3^T z_H
// conv3^T is conv3 with weights mirrored and transposed. A weight's gradient is a sum over all cells of all samples, of products
// of one z and one x; `partial` keeps it by portion of planes (and lane), added up over the steps of a sequence.
#include "conv_gru.h"

#define BOX int samples, int nx, int ny, int nz, int blocks
constexpr int FLUXES = OUTPUT == 2 ? 1 : 3;

// z, once as conv3^T reads it, once tiled as the parameters' gradients do
__device__ __forceinline__ void write_both(float* field, float* tiled_field, const Place& at, int channels, int c, int r, vec value) {
  write(field, at, channels, c, r, value);
  write_tiled(tiled_field, at, channels, c, r, value);
}

__device__ __forceinline__ vec slope(vec tanh_value) { return 1.0f - tanh_value * tanh_value; }
#define EACH(r, o, N) UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < N; ++o)

// the gradient with respect to J, from that with respect to phi' (OUTPUT 2: to what is squashed into phi')
extern "C" __global__ void flux_backward(const float* gradient, const float* next_phi, float* flux_gradient, float* flux_tiled, BOX) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    EACH(r, axis, FLUXES) {
      const int y = at.y[r], dx = axis == 0, dy = axis == 1, dz = axis == 2;
      const float* g = channel_of(gradient, grid, at.sample, 1, 0);
      const vec here = load(g + cell(grid, at.x, y, at.z)), after = load(g + cell(grid, at.x + dx, y + dy, at.z + dz));
      vec value;
      if (OUTPUT == 0) value = here - after;
      if (OUTPUT == 1) value = 0.5f * (load(g + cell(grid, at.x - dx, y - dy, at.z - dz)) - after);
      if (OUTPUT == 2) {
        const vec phi = read(next_phi, at, 1, 0, r);
        value = here * phi * (1.0f - phi);
      }
      write_both(flux_gradient, flux_tiled, at, FLUXES, axis, r, value);
    }
  });
}

// through the head; state_gradient grows by its part.  Weights: conv3^T, conv1^T of `second`, of `first`
extern "C" __global__ void head_backward(const float* flux_gradient, const float* head, const float* head_first, const float* weights,
                                         float* second_gradient, float* first_gradient, float* state_gradient, BOX) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec second[ROWS][HIDDEN], first[ROWS][HIDDEN];
    begin(second, (const float*)nullptr);
    convolve<FLUXES, HIDDEN>(second, flux_gradient, grid, at, weights);
    EACH(r, o, HIDDEN) second[r][o] *= slope(read(head, at, HIDDEN, o, r));
    const float* w = weights + of_convolution(FLUXES, HIDDEN);
    begin(first, (const float*)nullptr);
    mix<HIDDEN, HIDDEN>(first, second, w);
    EACH(r, o, HIDDEN) write_tiled(second_gradient, at, HIDDEN, o, r, second[r][o]);
    EACH(r, o, HIDDEN) first[r][o] *= slope(read_tiled(head_first, at, HIDDEN, o, r));
    EACH(r, o, HIDDEN) write_tiled(first_gradient, at, HIDDEN, o, r, first[r][o]);
    EACH(r, o, HIDDEN) second[r][o] = read_tiled(state_gradient, at, HIDDEN, o, r);
    mix<HIDDEN, HIDDEN>(second, first, w + of_mixing(HIDDEN, HIDDEN));
    EACH(r, o, HIDDEN) write_tiled(state_gradient, at, HIDDEN, o, r, second[r][o]);
  });
}

// g_n (channels 2 HIDDEN on) and g_u (channels 0 on) of gate_gradient, z_q, and dH' u in place of dH'
extern "C" __global__ void candidate_backward(float* state_gradient, const float* update, const float* candidate, const float* state,
                                              const float* from_reset_state, const float* weights, float* gate_gradient, float* z,
                                              float* z_tiled, BOX) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec gradient[ROWS][HIDDEN], sum[ROWS][HIDDEN];
    EACH(r, o, HIDDEN) gradient[r][o] = read_tiled(state_gradient, at, HIDDEN, o, r);
    EACH(r, o, HIDDEN) {
      const vec u = read_tiled(update, at, HIDDEN, o, r), n = read_tiled(candidate, at, HIDDEN, o, r), d = gradient[r][o];
      write_tiled(gate_gradient, at, 3 * HIDDEN, o, r, d * (read(state, at, HIDDEN, o, r) - n) * u * (1.0f - u));
      write_tiled(state_gradient, at, HIDDEN, o, r, d * u);
      gradient[r][o] = d * (1.0f - u) * slope(n);
    }
    EACH(r, o, HIDDEN) write_tiled(gate_gradient, at, 3 * HIDDEN, 2 * HIDDEN + o, r, gradient[r][o]);
    begin(sum, (const float*)nullptr);
    mix<HIDDEN, HIDDEN>(sum, gradient, weights);
    EACH(r, o, HIDDEN) write_both(z, z_tiled, at, HIDDEN, o, r, sum[r][o] * slope(read_tiled(from_reset_state, at, HIDDEN, o, r)));
  });
}

// g_r (channels HIDDEN on), z_x, z_H, and state_gradient + r conv3^T z_q.  Weights: conv3^T; conv1^T of the input's [3][3 HIDDEN][HIDDEN], the state's
extern "C" __global__ void gates_backward(const float* z, const float* reset, const float* state, const float* from_input, const float* from_state,
                                          const float* weights, float* gate_gradient, float* z_input, float* input_tiled, float* z_state,
                                          float* state_tiled, float* state_gradient, BOX) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec sum[ROWS][HIDDEN], gates[ROWS][3 * HIDDEN], part[ROWS][2 * HIDDEN];
    begin(sum, (const float*)nullptr);
    convolve<HIDDEN, HIDDEN>(sum, z, grid, at, weights);
    EACH(r, o, HIDDEN) {
      const vec reset_gate = read_tiled(reset, at, HIDDEN, o, r);
      gates[r][HIDDEN + o] = part[r][HIDDEN + o] = sum[r][o] * read(state, at, HIDDEN, o, r) * reset_gate * (1.0f - reset_gate);
      sum[r][o] = sum[r][o] * reset_gate + read_tiled(state_gradient, at, HIDDEN, o, r);
    }
    EACH(r, o, HIDDEN) {
      write_tiled(state_gradient, at, HIDDEN, o, r, sum[r][o]);
      write_tiled(gate_gradient, at, 3 * HIDDEN, HIDDEN + o, r, gates[r][HIDDEN + o]);
      gates[r][o] = part[r][o] = read_tiled(gate_gradient, at, 3 * HIDDEN, o, r);
      gates[r][2 * HIDDEN + o] = read_tiled(gate_gradient, at, 3 * HIDDEN, 2 * HIDDEN + o, r);
    }
    const float* w = weights + of_convolution(HIDDEN, HIDDEN);
    for (int block = 0; block < 3; ++block, w += of_mixing(3 * HIDDEN, HIDDEN)) {
      begin(sum, (const float*)nullptr);
      mix<3 * HIDDEN, HIDDEN>(sum, gates, w);
      EACH(r, o, HIDDEN) {
        const int c = block * HIDDEN + o;
        write_both(z_input, input_tiled, at, 3 * HIDDEN, c, r, sum[r][o] * slope(read_tiled(from_input, at, 3 * HIDDEN, c, r)));
      }
    }
    for (int block = 0; block < 2; ++block, w += of_mixing(2 * HIDDEN, HIDDEN)) {
      begin(sum, (const float*)nullptr);
      mix<2 * HIDDEN, HIDDEN>(sum, part, w);
      EACH(r, o, HIDDEN) {
        const int c = block * HIDDEN + o;
        write_both(z_state, state_tiled, at, 2 * HIDDEN, c, r, sum[r][o] * slope(read_tiled(from_state, at, 2 * HIDDEN, c, r)));
      }
    }
  });
}

extern "C" __global__ void phi_backward(const float* z, const float* weights, float* gradient, BOX) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec sum[ROWS][1];
    UNROLL for (int r = 0; r < ROWS; ++r) sum[r][0] = read(gradient, at, 1, 0, r);
    convolve<3 * HIDDEN, 1>(sum, z, grid, at, weights);
    UNROLL for (int r = 0; r < ROWS; ++r) write(gradient, at, 1, 0, r, sum[r][0]);
  });
}

// gradient += conv3^T z, of IN channels of z
template <int IN> __device__ __forceinline__ void add_transposed(const float* z, const float* weights, float* gradient, const Grid& grid, int blocks) {
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec sum[ROWS][HIDDEN];
    EACH(r, o, HIDDEN) sum[r][o] = read_tiled(gradient, at, HIDDEN, o, r);
    convolve<IN, HIDDEN>(sum, z, grid, at, weights);
    EACH(r, o, HIDDEN) write_tiled(gradient, at, HIDDEN, o, r, sum[r][o]);
  });
}
extern "C" __global__ void input_backward(const float* z, const float* weights, float* gradient, BOX) {
  add_transposed<3 * HIDDEN>(z, weights, gradient, Grid{samples, nx, ny, nz}, blocks);
}
extern "C" __global__ void state_backward(const float* z, const float* weights, float* gradient, BOX) {
  add_transposed<2 * HIDDEN>(z, weights, gradient, Grid{samples, nx, ny, nz}, blocks);
}

// ---- the parameters' gradients

constexpr __device__ int smaller(int a, int b) { return a < b ? a : b; }
constexpr __device__ int larger(int a, int b) { return a > b ? a : b; }

__device__ __forceinline__ vec load_cells(const float* from, int left) {  // nothing beyond the row's last cell
#ifdef __CUDACC__
  return *from;
#else
  if (left >= LANES) return load(from);
  vec v{};
  memcpy(&v, from, sizeof(float) * left);
  return v;
#endif
}

// to(k)[..] += value[k] where there is a to(k), by all threads of a block; a GPU's each bring their own sum
template <int N, class To> __device__ __forceinline__ void add_up(const To& to, const vec* value) {
#ifdef __CUDACC__
  constexpr int MOST = 128, PARTS = MOST / N;  // threads, at most (conv_gru.py); so many add up one number
  __shared__ float brought[N][MOST + 1], part[PARTS][N];  // an odd stride: no two threads share a bank
  __syncthreads();
  UNROLL for (int k = 0; k < N; ++k) brought[k][threadIdx.x] = value[k];
  __syncthreads();
  for (int item = threadIdx.x; item < N * PARTS; item += blockDim.x) {
    float sum = 0;
    for (int t = item / N; t < blockDim.x; t += PARTS) sum += brought[item % N][t];
    part[item / N][item % N] = sum;
  }
  __syncthreads();
  for (int k = threadIdx.x; k < N; k += blockDim.x) {
    float sum = 0;
    UNROLL for (int p = 0; p < PARTS; ++p) sum += part[p][k];
    if (float* place = to(k)) *place += sum;
  }
#else
  for (int k = 0; k < N; ++k) {
    float* place = to(k);
    if (!place) continue;
    vec sum = load(place) + value[k];
    memcpy(place, &sum, sizeof sum);
  }
#endif
}

// A task has the multiply-adds of so many outputs and inputs (and moves in y: all three, or one): on a GPU 19 numbers are loaded for 90 of them,
// on a CPU 15 sums stay in registers.
#ifdef __CUDACC__
constexpr int OUTPUTS_OF_TASK = 10, INPUTS_OF_TASK = 6, MOVES = 3;
#else
constexpr int OUTPUTS_OF_TASK = 5, INPUTS_OF_TASK = 3, MOVES = 1;
#endif

// Calls with(place among the tiled cells, first numbers of the same cells moved by dx and dy, dy + 1, ... in a channel, sample, cells left in the
// row) for the vectors of rows first .. last - 1, thread by thread. Where the divisions are would decide the speed: there are none on the way.
template <class With> __device__ __forceinline__ void each_vector(const Grid& grid, int first, int last, int dx, int dy, const With& with) {
  const int across = (grid.nz + LANES - 1) / LANES;
#ifdef __CUDACC__
  const int rows = blockDim.x / across, step_x = rows / grid.ny, step_y = rows % grid.ny, step_z = blockDim.x % across;
  int row = first + threadIdx.x / across, z = threadIdx.x % across, plane = row / grid.ny, y = row % grid.ny;
  int sample = plane / grid.nx, x = plane % grid.nx;
  while (row < last) {
    size_t moved[MOVES];
    const size_t plane_begins = cell(grid, x + dx, 0, z);
    UNROLL for (int m = 0; m < MOVES; ++m) {
      const int to = y + dy + m;
      moved[m] = plane_begins + (unsigned)((to < 0 ? to + grid.ny : to >= grid.ny ? to - grid.ny : to) * grid.row());
    }
    with((unsigned)row * across + z, moved, sample, 1);
    z += step_z;
    const int over = z >= across;
    z -= over ? across : 0;
    row += rows + over;
    y += step_y + over;
    const int beyond = y >= grid.ny;
    y -= beyond ? grid.ny : 0;
    x += step_x + beyond;
    while (x >= grid.nx) x -= grid.nx, ++sample;
  }
#else
  for (int row = first; row < last;) {  // rows that follow one another where they are moved, too
    const int y = row % grid.ny, plane = row / grid.ny, moved = y + dy < 0 ? grid.ny - 1 : y + dy >= grid.ny ? 0 : y + dy;
    const int run = smaller(last - row, smaller(grid.ny - y, grid.ny - moved)), sample = plane / grid.nx;
    size_t from = cell(grid, plane % grid.nx + dx, moved, 0), place = (size_t)row * across;
    for (int k = 0; k < run; ++k, from += grid.row())
      for (int chunk = 0; chunk < across; ++chunk, ++place) {
        const size_t moved_vector[MOVES] = {from + chunk * LANES};
        with(place * LANES, moved_vector, sample, grid.nz - chunk * LANES);
      }
    row += run;
  }
#endif
}

constexpr int PIECE = 32;  // vectors of cells: so many of z, five channels of them, stay in a CPU's first cache

// partial[portion][IN SIDE^3 OUT weights, then OUT biases][LANES] += sums over the portion's rows.  A task is a block of z's channels
// with the three dz of one channel, dx and MOVES dy of x (SIDE 3), or with a block of x's channels (SIDE 1), or with 1 (the biases).
// On a GPU a block has one task, on a CPU all of them, piece by piece.  z: tiled, z_channels of which those from z_first on count;
// x: tiled or, for SIDE 3, convolved.
template <int IN, int OUT, int SIDE, bool X_TILED>
__device__ __forceinline__ void weight_gradient(const float* z, const float* x, float* partial, int z_channels, int z_first, const Grid& grid, int portions) {
  constexpr int OB = divisor(OUT, OUTPUTS_OF_TASK), XB = SIDE == 3 ? 3 * MOVES : divisor(IN, INPUTS_OF_TASK);
  constexpr int SHIFTS = 9 / MOVES, GROUPS = SIDE == 3 ? IN * SHIFTS : IN / XB;
  constexpr int WEIGHTS = IN * SIDE * SIDE * SIDE * OUT, TASKS = (GROUPS + 1) * (OUT / OB);
  const int portion = blockIdx.x % portions, rows = grid.samples * grid.nx * grid.ny;
  const int first = (int)((long long)rows * portion / portions), last = (int)((long long)rows * (portion + 1) / portions);
  float* mine = partial + (size_t)portion * (WEIGHTS + OUT) * LANES;
#ifdef __CUDACC__
  const int task_first = blockIdx.x / portions, task_last = task_first + 1, together = last - first;
#else
  const int task_first = 0, task_last = TASKS, together = larger(1, PIECE * LANES / grid.nz);
#endif
  const size_t x_stride = X_TILED ? TILE : grid.channel();
  for (int begin = first; begin < last; begin += together)
    for (int task = task_first; task < task_last; ++task) {
      const int o = task / (GROUPS + 1) * OB, group = task % (GROUPS + 1), c = SIDE == 3 ? group / SHIFTS : group * XB;
      const int dx = SIDE == 3 ? group % SHIFTS / (3 / MOVES) - 1 : 0, dy = SIDE == 3 ? group % (3 / MOVES) - 1 : 0, end = smaller(begin + together, last);
      const float* from_z = z + (z_first + o) * TILE;
      const float* of_x = X_TILED ? x + c * TILE : x + c * grid.channel() - (SIDE == 3);
      const bool biases = group == GROUPS;
      vec sum[OB * XB];
      UNROLL for (int k = 0; k < OB * XB; ++k) sum[k] = same(0.0f);
      auto add = [&](unsigned place, const size_t (&moved)[MOVES], int sample, int left) ALWAYS_INLINE {
        vec values[OB];
        const unsigned at = place / TILE * TILE, lane = place % TILE;
        UNROLL for (int b = 0; b < OB; ++b) values[b] = load_cells(from_z + (size_t)at * z_channels + lane + b * TILE, left);
        if (biases) {
          UNROLL for (int b = 0; b < OB; ++b) sum[b * XB] += values[b];
          return;
        }
        const float* from_x = of_x + (X_TILED ? (size_t)at * IN + lane : sample * IN * x_stride + (SIDE == 3 ? 0 : moved[0]));
        UNROLL for (int k = 0; k < XB; ++k) {
          const vec with = load(SIDE == 3 ? from_x + moved[k / 3] + k % 3 : from_x + k * x_stride);
          UNROLL for (int b = 0; b < OB; ++b) sum[b * XB + k] += values[b] * with;
        }
      };
      each_vector(grid, begin, end, dx, dy, add);
      const auto to = [&](int which) -> float* {
        const int b = which / XB, k = which % XB, row = SIDE == 3 ? group * XB + k : c + k;
        return biases && k ? nullptr : mine + (size_t)(biases ? WEIGHTS + o + b : row * OUT + o + b) * LANES;
      };
      add_up<OB * XB>(to, sum);
    }
}

#define WEIGHT_GRADIENT(name, IN, OUT, SIDE, X_TILED)                                                                                     \
  extern "C" __global__ void name(const float* z, const float* x, float* partial, int z_channels, int z_first, int samples, int nx, int ny, \
                                  int nz, int portions) {                                                                                 \
    weight_gradient<IN, OUT, SIDE, X_TILED>(z, x, partial, z_channels, z_first, Grid{samples, nx, ny, nz}, portions);                     \
  }
WEIGHT_GRADIENT(phi_spatial, 1, 3 * HIDDEN, 3, false)
WEIGHT_GRADIENT(input_spatial, HIDDEN, 3 * HIDDEN, 3, false)
WEIGHT_GRADIENT(state_spatial, HIDDEN, 2 * HIDDEN, 3, false)
WEIGHT_GRADIENT(reset_state_spatial, HIDDEN, HIDDEN, 3, false)
WEIGHT_GRADIENT(flux_spatial, HIDDEN, FLUXES, 3, false)
WEIGHT_GRADIENT(input_mixing, 3 * HIDDEN, 3 * HIDDEN, 1, true)
WEIGHT_GRADIENT(state_mixing, 2 * HIDDEN, 2 * HIDDEN, 1, true)
WEIGHT_GRADIENT(reset_state_mixing, HIDDEN, HIDDEN, 1, true)
WEIGHT_GRADIENT(second_mixing, HIDDEN, HIDDEN, 1, true)
WEIGHT_GRADIENT(first_mixing, HIDDEN, HIDDEN, 1, false)
