//! The few vector operations that kernels are written in, for every instruction set they run on.
//!
//! Kernels are generic over [`Simd`] and `#[inline(always)]`, so that [`dispatch`] can compile the
//! same source once for the baseline and once for AVX2 with FMA, chosen at run time. In wasm there
//! is nothing to choose: a module is built with or without simd128.

/// A vector of float32 lanes.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Lanes.
    const LANES: usize;
    /// Vectors beside each other in a GEMM tile of four rows. Sixteen registers hold 4×2
    /// accumulators, two of B and temporaries for a separate multiply and add (wasm, SSE: 4×8 runs at
    /// 62–66 GFLOP/s of 72 where 4×12 and 6×8 spill), or with FMA 4×3 accumulators (4×24).
    const PANEL: usize;
    /// Reads LANES values.
    ///
    /// # Safety
    /// `p` must be valid for reading LANES values; no alignment is needed.
    unsafe fn load(p: *const f32) -> Self;
    /// Writes LANES values.
    ///
    /// # Safety
    /// `p` must be valid for writing LANES values; no alignment is needed.
    unsafe fn store(self, p: *mut f32);
    /// The same value in every lane.
    fn splat(x: f32) -> Self;
    /// Lane-wise sum.
    fn add(self, b: Self) -> Self;
    /// Lane-wise difference.
    fn sub(self, b: Self) -> Self;
    /// Lane-wise product.
    fn mul(self, b: Self) -> Self;
    /// Lane-wise self / b.
    fn div(self, b: Self) -> Self;
    /// self · b + c, in one rounding where the machine has it.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// self > 0 ? self : 0; NaN becomes 0.
    fn relu(self) -> Self;
    /// Lane-wise square root.
    fn sqrt(self) -> Self;
    /// Sum of the lanes.
    fn sum(self) -> f32;
    /// Four consecutive values from float16 bits, times [`Simd::HALF_SCALE`] (LANES of them).
    ///
    /// # Safety
    /// `p` must be valid for reading LANES 16-bit values.
    unsafe fn load_half(p: *const u16) -> Self;
    /// What [`Simd::load_half`] multiplies by: 1 with hardware conversion; 2⁻¹¹² where the bits of a
    /// float16 are only shifted into place. The product's scale is undone once per sum.
    const HALF_SCALE: f32;
}

/// Work that is compiled for several instruction sets.
pub trait Task {
    /// What it returns.
    type Output;
    /// Must be `#[inline(always)]`, so that it is compiled with the features of its caller.
    fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a task with the widest vectors this machine has.
#[inline]
pub fn dispatch<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::fast() {
            // SAFETY: the features were just detected.
            return unsafe { x86::avx2(task) };
        }
        task.run::<x86::Sse>()
    }
    #[cfg(not(target_arch = "x86_64"))]
    task.run::<F4>()
}

/// Four lanes, on every machine: what transposes four by four are written in.
#[cfg(target_arch = "x86_64")]
pub type F4 = x86::Sse;
/// Four lanes, on every machine: what transposes four by four are written in.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub type F4 = wasm::Wasm;
/// Four lanes, on every machine: what transposes four by four are written in.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
pub type F4 = portable::Portable;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Simd, Task};
    use std::arch::x86_64::*;

    pub fn fast() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn avx2<T: Task>(task: T) -> T::Output {
        task.run::<Avx>()
    }

    /// AVX2 with FMA and F16C.
    #[derive(Clone, Copy)]
    pub struct Avx(__m256);

    // SAFETY of the intrinsics: an `Avx` is only made inside `avx2`, after detection.
    impl Simd for Avx {
        const LANES: usize = 8;
        const PANEL: usize = 3;
        const HALF_SCALE: f32 = 1.0;
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Avx(_mm256_loadu_ps(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm256_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        fn splat(x: f32) -> Self {
            unsafe { Avx(_mm256_set1_ps(x)) }
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            unsafe { Avx(_mm256_add_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            unsafe { Avx(_mm256_sub_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            unsafe { Avx(_mm256_mul_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn div(self, b: Self) -> Self {
            unsafe { Avx(_mm256_div_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Avx(_mm256_fmadd_ps(self.0, b.0, c.0)) }
        }
        #[inline(always)]
        fn relu(self) -> Self {
            unsafe { Avx(_mm256_max_ps(self.0, _mm256_setzero_ps())) }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            unsafe { Avx(_mm256_sqrt_ps(self.0)) }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe {
                Sse(_mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0))).sum()
            }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> Self {
            unsafe { Avx(_mm256_cvtph_ps(_mm_loadu_si128(p.cast()))) }
        }
    }

    /// The x86-64 baseline, and F4 inside AVX code.
    #[derive(Clone, Copy)]
    pub struct Sse(pub __m128);

    // SAFETY of the intrinsics: SSE2 is part of x86-64.
    impl Simd for Sse {
        const LANES: usize = 4;
        const PANEL: usize = 2;
        const HALF_SCALE: f32 = super::SHIFTED;
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Sse(_mm_loadu_ps(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        fn splat(x: f32) -> Self {
            unsafe { Sse(_mm_set1_ps(x)) }
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            unsafe { Sse(_mm_add_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            unsafe { Sse(_mm_sub_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            unsafe { Sse(_mm_mul_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn div(self, b: Self) -> Self {
            unsafe { Sse(_mm_div_ps(self.0, b.0)) }
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            self.mul(b).add(c)
        }
        #[inline(always)]
        fn relu(self) -> Self {
            unsafe { Sse(_mm_max_ps(self.0, _mm_setzero_ps())) }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            unsafe { Sse(_mm_sqrt_ps(self.0)) }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe {
                let pair = _mm_add_ps(self.0, _mm_movehl_ps(self.0, self.0));
                _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
            }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> Self {
            unsafe {
                let h = _mm_loadl_epi64(p.cast());
                // The sixteen bits, sign-extended, then shifted so that sign and mantissa fall into place.
                let wide = _mm_srai_epi32::<16>(_mm_unpacklo_epi16(h, h));
                let bits = _mm_and_si128(_mm_slli_epi32::<13>(wide), _mm_set1_epi32(super::HALF_BITS));
                Sse(_mm_castsi128_ps(bits))
            }
        }
    }

    impl Sse {
        /// Rows to columns.
        #[inline(always)]
        pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            unsafe {
                let (ab, cd) = (_mm_unpacklo_ps(a.0, b.0), _mm_unpacklo_ps(c.0, d.0));
                let (ef, gh) = (_mm_unpackhi_ps(a.0, b.0), _mm_unpackhi_ps(c.0, d.0));
                [
                    Sse(_mm_movelh_ps(ab, cd)),
                    Sse(_mm_movehl_ps(cd, ab)),
                    Sse(_mm_movelh_ps(ef, gh)),
                    Sse(_mm_movehl_ps(gh, ef)),
                ]
            }
        }
        /// Lanes 0, 2 of both, then lanes 1, 3 of both.
        #[inline(always)]
        pub fn unzip(self, b: Self) -> [Self; 2] {
            unsafe { [Sse(_mm_shuffle_ps::<0x88>(self.0, b.0)), Sse(_mm_shuffle_ps::<0xdd>(self.0, b.0))] }
        }
        /// The inverse of `unzip`.
        #[inline(always)]
        pub fn zip(self, b: Self) -> [Self; 2] {
            unsafe { [Sse(_mm_unpacklo_ps(self.0, b.0)), Sse(_mm_unpackhi_ps(self.0, b.0))] }
        }
        /// Lanes 0, 2 of this, then 1, 3 of the other.
        #[inline(always)]
        pub fn pick(self, b: Self) -> Self {
            unsafe { Sse(_mm_shuffle_ps::<0xd8>(self.0, b.0)) }
        }
        /// All bits set in lanes where self > b.
        #[inline(always)]
        pub fn above(self, b: Self) -> Self {
            unsafe { Sse(_mm_cmpgt_ps(self.0, b.0)) }
        }
        /// Lanes of `a` where the mask is set, of `b` elsewhere.
        #[inline(always)]
        pub fn choose(self, a: Self, b: Self) -> Self {
            unsafe { Sse(_mm_or_ps(_mm_and_ps(self.0, a.0), _mm_andnot_ps(self.0, b.0))) }
        }
        /// The bits of four integers.
        #[inline(always)]
        pub fn integers(x: [u32; 4]) -> Self {
            unsafe {
                Sse(_mm_castsi128_ps(_mm_setr_epi32(x[0] as i32, x[1] as i32, x[2] as i32, x[3] as i32)))
            }
        }
        /// Lane-wise sum of integers.
        #[inline(always)]
        pub fn add_integers(self, b: Self) -> Self {
            unsafe { Sse(_mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(self.0), _mm_castps_si128(b.0)))) }
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::Simd;
    use std::arch::wasm32::*;

    /// simd128.
    #[derive(Clone, Copy)]
    pub struct Wasm(pub v128);

    impl Simd for Wasm {
        const LANES: usize = 4;
        const PANEL: usize = 2;
        const HALF_SCALE: f32 = super::SHIFTED;
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Wasm(v128_load(p.cast())) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { v128_store(p.cast(), self.0) }
        }
        #[inline(always)]
        fn splat(x: f32) -> Self {
            Wasm(f32x4_splat(x))
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            Wasm(f32x4_add(self.0, b.0))
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            Wasm(f32x4_sub(self.0, b.0))
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            Wasm(f32x4_mul(self.0, b.0))
        }
        #[inline(always)]
        fn div(self, b: Self) -> Self {
            Wasm(f32x4_div(self.0, b.0))
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            #[cfg(target_feature = "relaxed-simd")]
            let sum = f32x4_relaxed_madd(self.0, b.0, c.0);
            #[cfg(not(target_feature = "relaxed-simd"))]
            let sum = f32x4_add(f32x4_mul(self.0, b.0), c.0);
            Wasm(sum)
        }
        #[inline(always)]
        fn relu(self) -> Self {
            // pmax(0, x) = 0 < x ? x : 0, one instruction on x86 where f32x4.max takes seven.
            Wasm(f32x4_pmax(f32x4_splat(0.0), self.0))
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Wasm(f32x4_sqrt(self.0))
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            let v = self.0;
            let pair = f32x4_add(v, i32x4_shuffle::<2, 3, 2, 3>(v, v));
            f32x4_extract_lane::<0>(pair) + f32x4_extract_lane::<1>(pair)
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> Self {
            // SAFETY: the caller grants four 16-bit values.
            let wide = unsafe { i32x4_load_extend_i16x4(p.cast()) };
            Wasm(v128_and(i32x4_shl(wide, 13), i32x4_splat(super::HALF_BITS)))
        }
    }

    impl Wasm {
        /// Rows to columns.
        #[inline(always)]
        pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0));
            let (ef, gh) = (i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
            [
                Wasm(i64x2_shuffle::<0, 2>(ab, cd)),
                Wasm(i64x2_shuffle::<1, 3>(ab, cd)),
                Wasm(i64x2_shuffle::<0, 2>(ef, gh)),
                Wasm(i64x2_shuffle::<1, 3>(ef, gh)),
            ]
        }
        /// Lanes 0, 2 of both, then lanes 1, 3 of both.
        #[inline(always)]
        pub fn unzip(self, b: Self) -> [Self; 2] {
            [Wasm(i32x4_shuffle::<0, 2, 4, 6>(self.0, b.0)), Wasm(i32x4_shuffle::<1, 3, 5, 7>(self.0, b.0))]
        }
        /// The inverse of `unzip`.
        #[inline(always)]
        pub fn zip(self, b: Self) -> [Self; 2] {
            [Wasm(i32x4_shuffle::<0, 4, 1, 5>(self.0, b.0)), Wasm(i32x4_shuffle::<2, 6, 3, 7>(self.0, b.0))]
        }
        /// Lanes 0, 2 of this, then 1, 3 of the other.
        #[inline(always)]
        pub fn pick(self, b: Self) -> Self {
            Wasm(i32x4_shuffle::<0, 2, 5, 7>(self.0, b.0))
        }
        /// All bits set in lanes where self > b.
        #[inline(always)]
        pub fn above(self, b: Self) -> Self {
            Wasm(f32x4_gt(self.0, b.0))
        }
        /// Lanes of `a` where the mask is set, of `b` elsewhere.
        #[inline(always)]
        pub fn choose(self, a: Self, b: Self) -> Self {
            Wasm(v128_bitselect(a.0, b.0, self.0))
        }
        /// The bits of four integers.
        #[inline(always)]
        pub fn integers(x: [u32; 4]) -> Self {
            Wasm(u32x4(x[0], x[1], x[2], x[3]))
        }
        /// Lane-wise sum of integers.
        #[inline(always)]
        pub fn add_integers(self, b: Self) -> Self {
            Wasm(i32x4_add(self.0, b.0))
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
mod portable {
    use super::Simd;

    /// Arrays of four, which compilers turn into vectors where there are any.
    #[derive(Clone, Copy)]
    pub struct Portable([f32; 4]);

    impl Simd for Portable {
        const LANES: usize = 4;
        const PANEL: usize = 2;
        const HALF_SCALE: f32 = super::SHIFTED;
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Portable(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
        }
        #[inline(always)]
        fn splat(x: f32) -> Self {
            Portable([x; 4])
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| self.0[i] + b.0[i]))
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| self.0[i] - b.0[i]))
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| self.0[i] * b.0[i]))
        }
        #[inline(always)]
        fn div(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| self.0[i] / b.0[i]))
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            self.mul(b).add(c)
        }
        #[inline(always)]
        fn relu(self) -> Self {
            Portable(self.0.map(|x| if x > 0.0 { x } else { 0.0 }))
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Portable(self.0.map(f32::sqrt))
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> Self {
            let h = unsafe { p.cast::<[i16; 4]>().read_unaligned() };
            Portable(h.map(|x| f32::from_bits(((x as i32) << 13 & super::HALF_BITS) as u32)))
        }
    }

    impl Portable {
        /// Rows to columns.
        #[inline(always)]
        pub fn transpose(m: [Self; 4]) -> [Self; 4] {
            std::array::from_fn(|i| Portable(std::array::from_fn(|j| m[j].0[i])))
        }
        /// Lanes 0, 2 of both, then lanes 1, 3 of both.
        #[inline(always)]
        pub fn unzip(self, b: Self) -> [Self; 2] {
            let (a, b) = (self.0, b.0);
            [Portable([a[0], a[2], b[0], b[2]]), Portable([a[1], a[3], b[1], b[3]])]
        }
        /// The inverse of `unzip`.
        #[inline(always)]
        pub fn zip(self, b: Self) -> [Self; 2] {
            let (a, b) = (self.0, b.0);
            [Portable([a[0], b[0], a[1], b[1]]), Portable([a[2], b[2], a[3], b[3]])]
        }
        /// Lanes 0, 2 of this, then 1, 3 of the other.
        #[inline(always)]
        pub fn pick(self, b: Self) -> Self {
            Portable([self.0[0], self.0[2], b.0[1], b.0[3]])
        }
        /// All bits set in lanes where self > b.
        #[inline(always)]
        pub fn above(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| f32::from_bits(if self.0[i] > b.0[i] { u32::MAX } else { 0 })))
        }
        /// Lanes of `a` where the mask is set, of `b` elsewhere.
        #[inline(always)]
        pub fn choose(self, a: Self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| if self.0[i].to_bits() != 0 { a.0[i] } else { b.0[i] }))
        }
        /// The bits of four integers.
        #[inline(always)]
        pub fn integers(x: [u32; 4]) -> Self {
            Portable(x.map(f32::from_bits))
        }
        /// Lane-wise sum of integers.
        #[inline(always)]
        pub fn add_integers(self, b: Self) -> Self {
            Portable(std::array::from_fn(|i| {
                f32::from_bits(self.0[i].to_bits().wrapping_add(b.0[i].to_bits()))
            }))
        }
    }
}

/// 2⁻¹¹²: how much smaller a float16 reads whose exponent was shifted but not re-biased.
const SHIFTED: f32 = f32::from_bits((127 - 112) << 23);
/// Sign, five exponent bits and ten mantissa bits of a float16 after the shift.
const HALF_BITS: i32 = 0x8fff_e000_u32 as i32;
