//! The runtime, the agent, or both may be away: nothing gets a wrong name, nothing that was committed is lost.
