// The line transforms of kernels/line_fft.h, there and back, of one line at a time: LANES numbers at each place.
// Compile-time: SIZE, REAL.
#include <cmath>

#include "cpu.h"
#include "line_fft.h"

constexpr int A = Factors<SIZE>::A, B = Factors<SIZE>::B;

//   line [SIZE][2][REAL_LANES], in place; turns [2][SIZE]
extern "C" void forward(REAL* line, const REAL* turns) {
  Complex* place = (Complex*)line;
  auto at = [&](int i) -> Complex& { return place[i]; };
  for (int n2 = 0; n2 < B; ++n2) {
    Complex a[A];
    load_first<SIZE>(at, n2, a);
    forward_first<SIZE>(at, n2, a, turns, turns + SIZE);
  }
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<SIZE>(at, k1, a);
    fft<B, -1>(a);
    store_second<SIZE>(at, k1, a);
  }
}

extern "C" void back(REAL* line, const REAL* turns) {
  Complex* place = (Complex*)line;
  auto at = [&](int i) -> Complex& { return place[i]; };
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<SIZE>(at, k1, a);
    back_second<SIZE>(at, k1, a, turns, turns + SIZE);
  }
  for (int n2 = 0; n2 < B; ++n2) {
    Complex a[A];
    load_first<SIZE>(at, n2, a);
    fft<A, 1>(a);
    store_first<SIZE>(at, n2, a);
  }
}

extern "C" int lanes() { return REAL_LANES; }
