// Two convolutional GRU cells and a flux head: one step of the coarsening paper's network in six launches.
//
// Of a cell with input x and hidden state H, conv3 and conv1 being 3^3 and 1^3 convolutions (Lanzoni et al., CRANE):
//   [i_u i_r i_n] = conv1 tanh conv3 x      [h_u h_r] = conv1 tanh conv3 H
//   u = sigmoid(i_u + h_u)    r = sigmoid(i_r + h_r)    n = tanh(i_n + conv1 tanh conv3 (r H))    H' = (1 - u) n + u H
// Head: J = conv3 tanh conv1 tanh conv1 H2'; phi' = phi + div J, J on the faces (staggered) or cells (central), or phi' = sigmoid(J).
// `kept` arrays (null in a rollout) are what the way back needs: conv_gru_backward.cu.
#include "conv_gru.h"

template <int N> __device__ __forceinline__ void squash(vec (&v)[ROWS][N]) {
  UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < N; ++o) v[r][o] = hyperbolic_tangent(v[r][o]);
}
template <int N> __device__ __forceinline__ void keep(float* field, const Place& at, const vec (&v)[ROWS][N]) {
  if (field) UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < N; ++o) write_tiled(field, at, N, o, r, v[r][o]);
}

// tanh conv3: BLOCKS x HIDDEN channels; weights of BLOCKS convolutions, then [BLOCKS HIDDEN] biases; returns what is behind them
template <int IN, int BLOCKS>
__device__ __forceinline__ const float* first_half(vec (&out)[ROWS][BLOCKS * HIDDEN], const float* field, const Grid& grid, const Place& at,
                                                   const float* weights) {
  constexpr int WEIGHTS = of_convolution(IN, HIDDEN);
  UNROLL for (int block = 0; block < BLOCKS; ++block) {
    vec sum[ROWS][HIDDEN];
    begin(sum, weights + BLOCKS * WEIGHTS + block * HIDDEN);
    convolve<IN, HIDDEN>(sum, field, grid, at, weights + block * WEIGHTS);
    squash(sum);
    UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < HIDDEN; ++o) out[r][block * HIDDEN + o] = sum[r][o];
  }
  return weights + BLOCKS * WEIGHTS + padded(BLOCKS * HIDDEN);
}

// u, i_n and r H of a cell.  1^3 weights: [3][3 HIDDEN][HIDDEN], biases; [2][2 HIDDEN][HIDDEN], biases
template <int IN>
__device__ __forceinline__ void gates(const float* x, const float* state, const float* weights, float* update, float* input, float* reset_state,
                                      float* from_input, float* from_state, float* reset, const Grid& grid, int blocks) {
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec of_input[ROWS][3 * HIDDEN], of_state[ROWS][2 * HIDDEN], sum[ROWS][HIDDEN];
    const float* w = first_half<IN, 3>(of_input, x, grid, at, weights);
    const float* mix_x = first_half<HIDDEN, 2>(of_state, state, grid, at, w);
    constexpr int MIX_X = of_mixing(3 * HIDDEN, HIDDEN), MIX_STATE = of_mixing(2 * HIDDEN, HIDDEN);
    const float* bias_x = mix_x + 3 * MIX_X;
    const float* mix_state = bias_x + padded(3 * HIDDEN);
    const float* bias_state = mix_state + 2 * MIX_STATE;
    keep(from_input, at, of_input);
    keep(from_state, at, of_state);
    for (int gate = 0; gate < 2; ++gate) {
      begin(sum, bias_x + gate * HIDDEN);
      mix<3 * HIDDEN, HIDDEN>(sum, of_input, mix_x + gate * MIX_X);
      mix<2 * HIDDEN, HIDDEN>(sum, of_state, mix_state + gate * MIX_STATE);
      UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < HIDDEN; ++o) {
        const vec value = sigmoid(sum[r][o] + bias_state[gate * HIDDEN + o]);
        if (gate == 0) {
          write_tiled(update, at, HIDDEN, o, r, value);
        } else {
          write(reset_state, at, HIDDEN, o, r, value * read(state, at, HIDDEN, o, r));
          if (reset) write_tiled(reset, at, HIDDEN, o, r, value);
        }
      }
    }
    begin(sum, bias_x + 2 * HIDDEN);
    mix<3 * HIDDEN, HIDDEN>(sum, of_input, mix_x + 2 * MIX_X);
    keep(input, at, sum);
  });
}

extern "C" __global__ void first_gates(const float* x, const float* state, const float* weights, float* update, float* input, float* reset_state,
                                       float* from_input, float* from_state, float* reset, int samples, int nx, int ny, int nz, int blocks) {
  gates<1>(x, state, weights, update, input, reset_state, from_input, from_state, reset, Grid{samples, nx, ny, nz}, blocks);
}
extern "C" __global__ void second_gates(const float* x, const float* state, const float* weights, float* update, float* input, float* reset_state,
                                        float* from_input, float* from_state, float* reset, int samples, int nx, int ny, int nz, int blocks) {
  gates<HIDDEN>(x, state, weights, update, input, reset_state, from_input, from_state, reset, Grid{samples, nx, ny, nz}, blocks);
}

// H' of a cell, and, where it is the last (head), tanh conv1 tanh conv1 H'
extern "C" __global__ void new_state(const float* reset_state, const float* state, const float* update, const float* input, const float* weights,
                                     float* next_state, float* from_reset_state, float* candidate, float* head, float* head_first, int samples, int nx,
                                     int ny, int nz, int blocks) {
  const Grid grid{samples, nx, ny, nz};
  constexpr int MIX = of_mixing(HIDDEN, HIDDEN), MIX_AND_BIAS = MIX + padded(HIDDEN);
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec value[ROWS][HIDDEN], sum[ROWS][HIDDEN];
    const float* w = first_half<HIDDEN, 1>(value, reset_state, grid, at, weights);
    keep(from_reset_state, at, value);
    begin(sum, w + MIX);
    mix<HIDDEN, HIDDEN>(sum, value, w);
    w += MIX_AND_BIAS;
    UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < HIDDEN; ++o) {
      const vec n = hyperbolic_tangent(sum[r][o] + read_tiled(input, at, HIDDEN, o, r));
      if (candidate) write_tiled(candidate, at, HIDDEN, o, r, n);
      value[r][o] = n + read_tiled(update, at, HIDDEN, o, r) * (read(state, at, HIDDEN, o, r) - n);
      write(next_state, at, HIDDEN, o, r, value[r][o]);
    }
    if (!head) return;
    begin(sum, w + MIX);
    mix<HIDDEN, HIDDEN>(sum, value, w);
    squash(sum);
    keep(head_first, at, sum);
    begin(value, w + MIX_AND_BIAS + MIX);
    mix<HIDDEN, HIDDEN>(value, sum, w + MIX_AND_BIAS);
    squash(value);
    UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < HIDDEN; ++o) write(head, at, HIDDEN, o, r, value[r][o]);
  });
}

constexpr int FLUXES = OUTPUT == 2 ? 1 : 3;

// J of the head; OUTPUT 2: phi' itself
extern "C" __global__ void flux(const float* head, const float* weights, float* fluxes, int samples, int nx, int ny, int nz, int blocks) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    vec sum[ROWS][FLUXES];
    begin(sum, weights + of_convolution(HIDDEN, FLUXES));
    convolve<HIDDEN, FLUXES>(sum, head, grid, at, weights);
    UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < FLUXES; ++o)
      write(fluxes, at, FLUXES, o, r, OUTPUT == 2 ? sigmoid(sum[r][o]) : sum[r][o]);
  });
}

// phi' = phi + div J; staggered: J of a cell lies on its faces towards larger x, y, z
extern "C" __global__ void divergence(const float* phi, const float* fluxes, float* next_phi, int samples, int nx, int ny, int nz, int blocks) {
  const Grid grid{samples, nx, ny, nz};
  each_place(grid, blocks, [&](const Place& at) ALWAYS_INLINE {
    UNROLL for (int r = 0; r < ROWS; ++r) {
      const int y = at.y[r];
      vec change = same(0.0f);
      UNROLL for (int axis = 0; axis < 3; ++axis) {
        const float* j = channel_of(fluxes, grid, at.sample, 3, axis);
        const int dx = axis == 0, dy = axis == 1, dz = axis == 2;
        if (OUTPUT == 0) change += load(j + cell(grid, at.x, y, at.z)) - load(j + cell(grid, at.x - dx, y - dy, at.z - dz));
        else change += 0.5f * (load(j + cell(grid, at.x + dx, y + dy, at.z + dz)) - load(j + cell(grid, at.x - dx, y - dy, at.z - dz)));
      }
      write(next_phi, at, 1, 0, r, read(phi, at, 1, 0, r) + change);
    }
  });
}
