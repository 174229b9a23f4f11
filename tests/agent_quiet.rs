//! What a kubelet does to a container is no drift; what somebody else does is.
