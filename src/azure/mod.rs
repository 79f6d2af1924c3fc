//! The cloud behind one narrow port, in domain words.
//!
//! [`Cloud`] is the only thing the controller knows of Azure. Below it the same ARM client speaks
//! to Microsoft over HTTPS or to the emulator in process: only the [`transport`] differs. Must
//! never sleep inside a call, retry a command, or decide what is right to do.
