//! What people and programs get to see. Everything here is given its figures; nothing is worked out.

pub mod check;
pub mod columns;
pub mod diff;
pub mod differences;
pub mod forecast;
pub mod html;
pub mod json;
pub mod plan;
pub mod runbook;
pub mod table;
pub mod text;
