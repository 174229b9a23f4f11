//! What the agent is given may be wrong: it says so, and the rest keeps working.
