// One Monte Carlo step of the Ising model in true random-site order: N sites drawn at random, one after the other.
//
// For nearest neighbours, short ranges, Kawasaki's exchanges and lattices with fixed spins. A sublattice of sites that do not interact visits every neighbourhood equally
// often, where a random order leaves some out for a while; that is less noise, and nucleation feels it: at R = 2 and
// R = 3 lifetimes come out 3% and 2% longer (cases sublattice-2, sublattice-3 of tests/lifetime_study.py). At long range
// the difference drowns in the many spins of a neighbourhood. Here one thread holds whole lattices; the replicas of a group
// of 16 words share the order of the sites and draw their own acceptances.
#pragma once

// On a GPU the lattices of the threads lie side by side in memory, so that a warp reads one site of 32 of them at once.
#define MEMBER 0
#define MEMBERS 1
#define TEAM (int)(blockIdx.x * blockDim.x + threadIdx.x)
#ifdef __CUDACC__
#define STRIDE ((size_t)gridDim.x * blockDim.x)
#else
#define STRIDE 1
#endif
#define team_sync()

constexpr int WINDOW = 2 * RANGE + 1;                         // rows and columns that a spin's neighbours span
constexpr int PITCH = NEAREST ? SIZE : SIZE + WINDOW - 1;     // the first rows and columns stand again behind the last
                                                              // ones, so that a window never wraps
constexpr int LATTICE_WORDS = NEAREST ? N : PITCH * PITCH, SCRATCH_WORDS = 1;
constexpr int GENERATORS = SLOTS;  // a thread's; they take turns, so that an attempt need not wait for the one before

__device__ __forceinline__ size_t at(int x, int y) { return (x * PITCH + y) * STRIDE; }

__device__ __forceinline__ void set_spin(word* spins, int x, int y, word value) {
  spins[at(x, y)] = value;
  bool again_x = x < PITCH - SIZE, again_y = y < PITCH - SIZE;
  if (again_x) spins[at(x + SIZE, y)] = value;
  if (again_y) spins[at(x, y + SIZE)] = value;
  if (again_x && again_y) spins[at(x + SIZE, y + SIZE)] = value;
}

__device__ __forceinline__ void spins_written(word*) {}

// up[NEIGHBOUR_BITS] = number of up neighbours of column y in row x; in three dimensions rows lie side by side in SIZE layers
__device__ __forceinline__ void count_neighbours(const word* spins, int x, int y, word* up) {
#if NEAREST && DIMENSIONS == 3
  const int row = x % SIZE, layer = x - row;
  word left = spins[at(layer ? x - SIZE : x + ROWS - SIZE, y)], right = spins[at(layer + SIZE < ROWS ? x + SIZE : row, y)];
  word front = spins[at(row ? x - 1 : x + SIZE - 1, y)], back = spins[at(row + 1 < SIZE ? x + 1 : layer, y)];
  word below = spins[at(x, y ? y - 1 : SIZE - 1)], above = spins[at(x, y + 1 < SIZE ? y + 1 : 0)];
  word odd = xor3(left, right, front), pair = majority(left, right, front);
  word other_odd = xor3(back, below, above), other_pair = majority(back, below, above), both_odd = odd & other_odd;
  up[0] = odd ^ other_odd;
  up[1] = xor3(pair, other_pair, both_odd);
  up[2] = majority(pair, other_pair, both_odd);
#elif NEAREST
  word left = spins[at(x ? x - 1 : SIZE - 1, y)], right = spins[at(x + 1 < SIZE ? x + 1 : 0, y)];
  word below = spins[at(x, y ? y - 1 : SIZE - 1)], above = spins[at(x, y + 1 < SIZE ? y + 1 : 0)];
  word odd = xor3(left, right, below), pair = majority(left, right, below);
  up[0] = odd ^ above;
  up[1] = pair ^ (odd & above);
  up[2] = pair & odd & above;
#else
  const word* corner = spins + at(x < RANGE ? x - RANGE + SIZE : x - RANGE, y < RANGE ? y - RANGE + SIZE : y - RANGE);
  constexpr int CENTRE = WINDOW * WINDOW / 2;
  count<0, WINDOW * WINDOW - 1>(
      [&](int i) {
        int cell = i < CENTRE ? i : i + 1;
        return corner[at(cell / WINDOW, cell % WINDOW)];
      },
      up);
#endif
}

#if KAWASAKI
// Kawasaki's dynamics: a site and the next one along an axis exchange their spins, so that M stays. K. Kawasaki, Phys. Rev. 145,
// 224 (1966); acceptance is Metropolis'. Where the two differ an exchange costs dE / T = lambda (a - b) if the first is up and the
// opposite if it is down: a of the E neighbours that it has for itself are up, and b of its partner's E (those that they share, and
// the two themselves, count for nothing). a - b = c - E, c = a + E - b: the rule of metropolis.h with 2 E neighbours and h = 0.
__device__ __forceinline__ int after(int coordinate, int distance) { return coordinate + distance < SIZE ? coordinate + distance : coordinate + distance - SIZE; }
__device__ __forceinline__ int before(int coordinate, int distance) { return coordinate < distance ? coordinate - distance + SIZE : coordinate - distance; }

struct Site { int x, y; };  // row and column; in three dimensions rows lie side by side in SIZE layers

// the site at `distance` from another along an axis: 0 columns, 1 rows, 2 layers
template <class Move> __device__ __forceinline__ Site moved(Site site, int axis, const Move& move) {
#if DIMENSIONS == 3
  const int row = site.x % SIZE, layer = site.x / SIZE;
  return axis == 0 ? Site{site.x, move(site.y)} : axis == 1 ? Site{layer * SIZE + move(row), site.y} : Site{move(layer) * SIZE + row, site.y};
#else
  return axis == 0 ? Site{site.x, move(site.y)} : Site{move(site.x), site.y};
#endif
}
__device__ __forceinline__ Site next_site(Site site, int axis, int distance = 1) {
  return moved(site, axis, [&](int i) { return after(i, distance); });
}
__device__ __forceinline__ Site last_site(Site site, int axis, int distance = 1) {
  return moved(site, axis, [&](int i) { return before(i, distance); });
}

// up[FIELD_BITS] = c of the exchange of a site with the next one along an axis
__device__ __forceinline__ void count_exchange(const word* spins, Site here, Site there, int axis, word* up) {
#if NEAREST
  word alone[COUNTED];
  const auto spin = [&](Site site) { return spins[at(site.x, site.y)]; };
  alone[0] = spin(last_site(here, axis));
  alone[1] = ~spin(next_site(there, axis));
#pragma unroll
  for (int other = 1; other < DIMENSIONS; ++other) {
    const int across = axis + other < DIMENSIONS ? axis + other : axis + other - DIMENSIONS;
    alone[4 * other - 2] = spin(last_site(here, across));
    alone[4 * other - 1] = spin(next_site(here, across));
    alone[4 * other] = ~spin(last_site(there, across));
    alone[4 * other + 1] = ~spin(next_site(there, across));
  }
  count<0, COUNTED>([&](int i) { return alone[i]; }, up);
#else  // a line of 2R + 1 spins each, R before the first and R after the second
  const Site near = last_site(last_site(here, axis, RANGE), 1 - axis, RANGE), far = last_site(next_site(there, axis, RANGE), 1 - axis, RANGE);
  const word *a = spins + at(near.x, near.y), *b = spins + at(far.x, far.y);
  const size_t step = axis == 0 ? at(1, 0) : at(0, 1);
  count<0, COUNTED>([&](int i) { return i < WINDOW ? a[i * step] : ~b[(i - WINDOW) * step]; }, up);
#endif
}

// one Philox call orders four attempts
__device__ __forceinline__ void sweep(word* spins, word*, Generator* generators, const Acceptance& acceptance, const Stream& stream,
                                      unsigned group, int time) {
  for (int first = 0; first < N; first += 4) {
    Random4 r = draw(stream, 0, group, time * ((N + 3ull) / 4) + first / 4);
    const unsigned bonds[4] = {__umulhi(r.x, DIMENSIONS * (unsigned)N), __umulhi(r.y, DIMENSIONS * (unsigned)N),
                               __umulhi(r.z, DIMENSIONS * (unsigned)N), __umulhi(r.w, DIMENSIONS * (unsigned)N)};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (first + k == N) break;
      const int site = bonds[k] / DIMENSIONS, axis = bonds[k] % DIMENSIONS;
      const Site here{site / SIZE, site % SIZE}, there = next_site(here, axis);
      if (acceptance.fixed(site) || acceptance.fixed(there.x * SIZE + there.y)) continue;
      const word a = spins[at(here.x, here.y)], b = spins[at(there.x, there.y)];
      word up[FIELD_BITS];
      count_exchange(spins, here, there, axis, up);
      const word exchanged = (a ^ b) & accept(up, a, acceptance, generators[k % GENERATORS]);
      set_spin(spins, here.x, here.y, a ^ exchanged);
      set_spin(spins, there.x, there.y, b ^ exchanged);
    }
  }
}

#else
__device__ __forceinline__ void sweep(word* spins, word*, Generator* generators, const Acceptance& acceptance, const Stream& stream,
                                      unsigned group, int time) {
  // one Philox call orders four attempts
  for (int first = 0; first < N; first += 4) {
    Random4 r = draw(stream, 0, group, time * ((N + 3ull) / 4) + first / 4);
    unsigned site[4] = {__umulhi(r.x, N), __umulhi(r.y, N), __umulhi(r.z, N), __umulhi(r.w, N)};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (first + k == N) break;
      if (acceptance.fixed(site[k])) continue;
      int x = site[k] / SIZE, y = site[k] % SIZE;
      word up[FIELD_BITS], spin = spins[at(x, y)];
      count_neighbours(spins, x, y, up);
      set_spin(spins, x, y, spin ^ accept(up, spin, acceptance, generators[k % GENERATORS]));
    }
  }
}
#endif
