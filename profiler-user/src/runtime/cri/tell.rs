//! Whole answers, for evidence.

use std::collections::HashMap;

use prost::Message;
use serde_json::{Value, json};

use super::super::{Error, Told};
use super::Client;
use super::connection::Call;
use super::messages::{
    Container, ContainerStatusRequest, ContainerStatusResponse, Image, ImageSpec,
    ImageStatusRequest, ImageStatusResponse, ListContainersResponse, ListImagesResponse,
    ListPodSandboxResponse, ListRequest, PodSandboxStatusRequest, PodSandboxStatusResponse,
    RuntimeCondition, StatusRequest, StatusResponse,
};
use crate::container::ContainerId;

impl Client {
    pub(in super::super) async fn tell(
        &self,
        id: Option<&ContainerId>,
        told: &mut Vec<(&'static str, Told)>,
    ) {
        let list = ListRequest { filter: None };
        let containers: Result<ListContainersResponse, String> =
            self.whole(Call::LIST_CONTAINERS, list.clone()).await;
        if let Some(id) = id {
            let own = containers.as_ref().ok();
            let own = own.and_then(|list| list.containers.iter().find(|one| one.id == id.as_str()));
            self.tell_of(id, own, told).await;
        }
        let containers = containers.map(|list| list.containers.iter().map(container).collect());
        told.push(("containers", containers));
        let pods: Result<ListPodSandboxResponse, String> =
            self.whole(Call::LIST_POD_SANDBOX, list.clone()).await;
        told.push(("pods", pods.map(|list| list.items.into_iter().map(|pod| pod.id).collect())));
        let images: Result<ListImagesResponse, String> = self.whole(Call::LIST_IMAGES, list).await;
        told.push(("images", images.map(|list| list.images.iter().map(image).collect())));
        // Its configuration, and that of the container network.
        let request = StatusRequest { verbose: true };
        let status: Result<StatusResponse, String> = self.whole(Call::STATUS, request).await;
        told.push(("status", status.map(|answer| {
            let conditions = answer.status.unwrap_or_default().conditions;
            let condition = |one: RuntimeCondition| {
                json!({"type": one.r#type, "status": one.status, "reason": one.reason, "message": one.message})
            };
            let conditions: Vec<_> = conditions.into_iter().map(condition).collect();
            json!({"conditions": conditions, "info": info(answer.info)})
        })));
    }

    async fn tell_of(
        &self,
        id: &ContainerId,
        listed: Option<&Container>,
        told: &mut Vec<(&'static str, Told)>,
    ) {
        let request = ContainerStatusRequest { container_id: id.to_string(), verbose: true };
        let answer: Result<ContainerStatusResponse, String> =
            self.whole(Call::CONTAINER_STATUS, request).await;
        told.push(("container", answer.map(|answer| {
            let status = answer.status.unwrap_or_default();
            json!({
                "id": status.id, "state": status.state, "created_at": status.created_at,
                "started_at": status.started_at, "finished_at": status.finished_at, "exit_code": status.exit_code,
                "reason": status.reason, "image": status.image.map(|image| image.image), "image_ref": status.image_ref,
                "labels": status.labels, "annotations": status.annotations, "log_path": status.log_path,
                "info": info(answer.info),
            })
        })));
        let Some(listed) = listed else { return };
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: listed.pod_sandbox_id.clone(),
            verbose: true,
        };
        let answer: Result<PodSandboxStatusResponse, String> =
            self.whole(Call::POD_SANDBOX_STATUS, request).await;
        told.push((
            "pod",
            answer.map(|answer| {
                let status = answer.status.unwrap_or_default();
                json!({
                    "id": status.id, "state": status.state, "created_at": status.created_at,
                    "ip": status.network.map(|network| network.ip), "labels": status.labels,
                    "annotations": status.annotations, "info": info(answer.info),
                })
            }),
        ));
        let spec = ImageSpec { image: listed.image_ref.clone(), ..ImageSpec::default() };
        let request = ImageStatusRequest { image: Some(spec), verbose: true };
        let answer: Result<ImageStatusResponse, String> =
            self.whole(Call::IMAGE_STATUS, request).await;
        told.push(("image", answer.map(|answer| {
            json!({"image": answer.image.as_ref().map(image), "info": info(answer.info)})
        })));
    }

    async fn whole<Q: Message + 'static, A: Message + Default + 'static>(
        &self,
        call: Call,
        request: Q,
    ) -> Result<A, String> {
        let answer: Result<Option<A>, Error> = self.connection.unary(call, request).await;
        answer
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the runtime does not know it".to_owned())
    }
}

/// Runtimes put JSON into texts.
fn info(texts: HashMap<String, String>) -> Value {
    let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    texts.into_iter().map(|(name, text)| (name, value(text))).collect()
}

fn container(one: &Container) -> Value {
    json!({
        "id": one.id, "pod": one.pod_sandbox_id, "state": one.state, "created_at": one.created_at,
        "name": one.metadata.as_ref().map(|metadata| &metadata.name), "image_ref": one.image_ref,
        "image": one.image.as_ref().map(|image| &image.image), "labels": one.labels, "annotations": one.annotations,
    })
}

fn image(one: &Image) -> Value {
    json!({"id": one.id, "tags": one.repo_tags, "digests": one.repo_digests})
}
