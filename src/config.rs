//! Arguments and environment become one validated value.
