//! Tables of queries and what they give.
