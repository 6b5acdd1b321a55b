//! A grant in memory, with its token ready to be handed out.
