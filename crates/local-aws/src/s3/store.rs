//! s3s-fs behind one lock per key.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream;
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::io::AsyncReadExt as _;

use super::files::all_files;
use super::locks::{KeyLocks, ObjectName};
use super::notification::{ObjectCreated, ObjectCreatedHook};
use super::recovery::{self, Recovered};
use super::sidecar::Upload;
use super::{body, encoding, sidecar};

/// Why the store did not open.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made, read or written.
    #[error("the S3 folder {path} cannot be used")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The file system's reason.
        #[source]
        source: io::Error,
    },
    /// s3s-fs did not open the folder.
    #[error("s3s-fs cannot open {path}")]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its reason.
        #[source]
        source: S3Error,
    },
    /// Not a name that S3 allows for a bucket.
    #[error("{0:?} is not a valid bucket name")]
    BucketName(String),
}

/// The buckets and objects under one folder. Cloning gives another handle to the same store; there must be one store
/// (and one process) per folder.
///
/// Reads hold the key's lock too, while they open the object: else they could pair one write's data with another's
/// ETag, and a compare-and-swap would build on that.
#[derive(Clone)]
pub struct Store {
    files: Arc<FileSystem>,
    root: Arc<Path>,
    locks: KeyLocks,
    created: ObjectCreatedHook,
}

impl Store {
    /// Opens the folder, making it and the buckets as needed, after settling what a crash left half done.
    pub fn open(root: &Path, buckets: &[String], created: ObjectCreatedHook) -> Result<(Self, Recovered), StoreError> {
        let folder = |source| StoreError::Folder { path: root.to_owned(), source };
        std::fs::create_dir_all(root).map_err(folder)?;
        let root = root.canonicalize().map_err(folder)?;
        let recovered = recovery::recover(&root).map_err(folder)?;
        for bucket in buckets {
            if !s3s::path::check_bucket_name(bucket) {
                return Err(StoreError::BucketName(bucket.clone()));
            }
            std::fs::create_dir_all(root.join(bucket)).map_err(folder)?;
        }
        let files = FileSystem::new(&root).map_err(|error| StoreError::Open { path: root.clone(), source: S3Error::from(error) })?;
        let store = Self { files: Arc::new(files), root: root.into(), locks: KeyLocks::default(), created };
        Ok((store, recovered))
    }

    /// The folder that holds the buckets.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Stores a finished local file as an object, as a PUT over HTTP would, without reading it into memory.
    pub(crate) async fn put_file(&self, bucket: &str, key: &str, content_type: &str, file: &Path) -> S3Result<()> {
        let file = tokio::fs::File::open(file).await.map_err(S3Error::internal_error)?;
        let size = file.metadata().await.map_err(S3Error::internal_error)?.len();
        let chunks = stream::try_unfold(file, |mut file| async move {
            let mut chunk = bytes::BytesMut::with_capacity(1 << 18);
            let read = file.read_buf(&mut chunk).await?;
            Ok::<_, io::Error>((read > 0).then(|| (chunk.freeze(), file)))
        });
        let mut input = PutObjectInput::builder();
        input.set_bucket(bucket.to_owned());
        input.set_key(key.to_owned());
        input.set_content_type(Some(content_type.to_owned()));
        input.set_body(Some(StreamingBlob::wrap(chunks)));
        let input = input.build().map_err(S3Error::internal_error)?;
        let store = self.clone();
        to_completion(async move { store.put(local_request(input), size).await }).await?;
        Ok(())
    }

    async fn put(&self, req: S3Request<PutObjectInput>, size: u64) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, if_match, if_none_match, .. } = &req.input;
        let (bucket, key) = (bucket.clone(), key.clone());
        self.check_target(&bucket, &key, Upload::Whole)?;
        check_condition_kind(if_none_match.as_ref())?;
        let _guard = self.locks.lock(&bucket, &key).await;
        self.check_match_target(&bucket, &key, if_match.as_ref())?;
        let response = self.files.put_object(req).await?;
        let etag = response.output.e_tag.clone();
        self.notify(bucket, key, size, etag, "ObjectCreated:Put");
        Ok(response)
    }

    async fn copy(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let target: ObjectName = (req.input.bucket.clone(), req.input.key.clone());
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let source: ObjectName = (bucket.to_string(), key.to_string());
        self.check_target(&target.0, &target.1, Upload::Whole)?;
        // s3s does not know the condition on a copy's target, which S3 has had since 2025.
        let only_if_absent = req.headers.get("if-none-match").is_some_and(|condition| condition == "*");
        let _guards = self.locks.lock_both(&source, &target).await;
        if !self.is_object(&source.0, &source.1) {
            return Err(s3_error!(NoSuchKey));
        }
        if only_if_absent && self.is_object(&target.0, &target.1) {
            return Err(s3_error!(PreconditionFailed));
        }
        let response = match self.is_plain_copy(&req.input, &source) {
            true => self.copy_whole(&source, &target).await?,
            false => self.files.copy_object(req).await?,
        };
        let etag = response.output.copy_object_result.as_ref().and_then(|result| result.e_tag.clone());
        let size = self.size(&target.0, &target.1)?;
        self.notify(target.0, target.1, size, etag, "ObjectCreated:Copy");
        Ok(response)
    }

    /// Whether nothing but the object itself is asked for. A copy onto itself is only for changing metadata.
    fn is_plain_copy(&self, input: &CopyObjectInput, source: &ObjectName) -> bool {
        let replaced = input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let conditional = input.copy_source_if_match.is_some()
            || input.copy_source_if_none_match.is_some()
            || input.copy_source_if_modified_since.is_some()
            || input.copy_source_if_unmodified_since.is_some();
        !replaced && !conditional && *source != (input.bucket.clone(), input.key.clone())
    }

    /// Copies by reading and writing. s3s-fs would write into the target's file, where a query could meet half of it.
    async fn copy_whole(&self, source: &ObjectName, target: &ObjectName) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut get = GetObjectInput::builder();
        get.set_bucket(source.0.clone());
        get.set_key(source.1.clone());
        let get = get.build().map_err(S3Error::internal_error)?;
        let found = self.files.get_object(local_request(get)).await?.output;
        let mut put = PutObjectInput::builder();
        put.set_bucket(target.0.clone());
        put.set_key(target.1.clone());
        put.set_body(found.body);
        put.set_metadata(found.metadata);
        put.set_content_type(found.content_type);
        put.set_content_encoding(found.content_encoding);
        put.set_content_disposition(found.content_disposition);
        put.set_content_language(found.content_language);
        put.set_cache_control(found.cache_control);
        let put = put.build().map_err(S3Error::internal_error)?;
        let written = self.files.put_object(local_request(put)).await?.output;
        let result = CopyObjectResult {
            e_tag: written.e_tag,
            last_modified: Some(Timestamp::from(std::time::SystemTime::now())),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }

    async fn complete(&self, req: S3Request<CompleteMultipartUploadInput>) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput { bucket, key, if_match, if_none_match, .. } = &req.input;
        let (bucket, key) = (bucket.clone(), key.clone());
        self.check_target(&bucket, &key, Upload::InParts)?;
        check_condition_kind(if_none_match.as_ref())?;
        let _guard = self.locks.lock(&bucket, &key).await;
        self.check_match_target(&bucket, &key, if_match.as_ref())?;
        let mut response = self.files.complete_multipart_upload(req).await?;
        // s3s-fs has done the work by now and hands the answer over in a future, for slow stores to keep the
        // connection alive with.
        if let Some(finished) = response.output.future.take() {
            response.output = finished.await?;
        }
        let etag = response.output.e_tag.clone();
        let size = self.size(&bucket, &key)?;
        self.notify(bucket, key, size, etag, "ObjectCreated:CompleteMultipartUpload");
        Ok(response)
    }

    async fn delete(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, if_match, .. } = &req.input;
        let (bucket, key) = (bucket.clone(), key.clone());
        self.check_bucket(&bucket)?;
        let _guard = self.locks.lock(&bucket, &key).await;
        if let Some(condition) = if_match {
            self.check_match_target(&bucket, &key, Some(condition))?;
            let actual = self.etag(&bucket, &key)?;
            if condition.as_etag().is_some_and(|expected| Some(expected.value()) != actual.as_deref()) {
                return Err(s3_error!(PreconditionFailed));
            }
        }
        if !key.ends_with('/') && !self.is_object(&bucket, &key) {
            return Ok(S3Response::new(DeleteObjectOutput::default()));
        }
        let response = self.files.delete_object(req).await?;
        sidecar::remove(&self.root, &bucket, &key).map_err(S3Error::internal_error)?;
        Ok(response)
    }

    /// Adds the ETags, which s3s-fs leaves out, and leaves out what is not wholly stored or was deleted meanwhile.
    async fn add_etags(&self, bucket: &str, objects: Option<Vec<Object>>) -> S3Result<Option<Vec<Object>>> {
        let Some(objects) = objects else { return Ok(None) };
        let mut listed = Vec::with_capacity(objects.len());
        for mut object in objects {
            let key = object.key.as_deref().unwrap_or_default();
            let _guard = self.locks.lock(bucket, key).await;
            if let Some(etag) = self.etag(bucket, key)? {
                object.e_tag = Some(ETag::Strong(etag));
                object.size = i64::try_from(self.size(bucket, key)?).ok();
                object.storage_class = Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD));
                listed.push(object);
            }
        }
        Ok(Some(listed))
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn check_target(&self, bucket: &str, key: &str, upload: Upload) -> S3Result<()> {
        if !sidecar::fits(bucket, key, upload) {
            return Err(s3_error!(KeyTooLongError, "Your key is too long for the local store's file names."));
        }
        // s3s-fs would make the bucket on the way.
        self.check_bucket(bucket)
    }

    /// S3 answers 404, not 412, to If-Match on a key that does not exist.
    fn check_match_target(&self, bucket: &str, key: &str, if_match: Option<&ETagCondition>) -> S3Result<()> {
        if if_match.is_some() && !self.is_object(bucket, key) {
            return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
        }
        Ok(())
    }

    /// A folder on the way to other keys is no object, though s3s-fs would open it.
    fn check_readable(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.check_bucket(bucket)?;
        if key.ends_with('/') || self.is_object(bucket, key) {
            Ok(())
        } else {
            Err(s3_error!(NoSuchKey, "The specified key does not exist."))
        }
    }

    fn is_object(&self, bucket: &str, key: &str) -> bool {
        self.root.join(bucket).join(key).is_file()
    }

    fn etag(&self, bucket: &str, key: &str) -> S3Result<Option<String>> {
        if !self.is_object(bucket, key) {
            return Ok(None);
        }
        sidecar::etag(&self.root, bucket, key).map_err(S3Error::internal_error)
    }

    fn size(&self, bucket: &str, key: &str) -> S3Result<u64> {
        let metadata = std::fs::metadata(self.root.join(bucket).join(key)).map_err(S3Error::internal_error)?;
        Ok(metadata.len())
    }

    fn notify(&self, bucket: String, key: String, size: u64, etag: Option<ETag>, event_name: &'static str) {
        let etag = etag.map(ETag::into_value).unwrap_or_default();
        (self.created)(ObjectCreated { bucket, key, size, etag, event_name });
    }
}

/// S3 knows only `If-None-Match: *` on writes.
fn check_condition_kind(if_none_match: Option<&ETagCondition>) -> S3Result<()> {
    match if_none_match {
        Some(condition) if !condition.is_any() => {
            Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented."))
        }
        _ => Ok(()),
    }
}

/// Runs a change in a task of its own: a client that hangs up (a function killed while it waits for the answer) must
/// not stop it between the data and its ETag.
async fn to_completion<T: Send + 'static>(change: impl Future<Output = S3Result<T>> + Send + 'static) -> S3Result<T> {
    tokio::spawn(change).await.map_err(S3Error::internal_error)?
}

/// A request that comes from this process.
fn local_request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: hyper::Method::PUT,
        uri: hyper::Uri::default(),
        headers: hyper::HeaderMap::default(),
        extensions: hyper::http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let size = body::receive(&mut req).await?;
        let store = self.clone();
        to_completion(async move { store.put(req, size).await }).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let store = self.clone();
        to_completion(async move { store.copy(req).await }).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let store = self.clone();
        to_completion(async move { store.complete(req).await }).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let store = self.clone();
        to_completion(async move { store.delete(req).await }).await
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.check_bucket(&req.input.bucket)?;
        let quiet = req.input.delete.quiet.unwrap_or(false);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in req.input.delete.objects {
            let mut input = DeleteObjectInput::builder();
            input.set_bucket(req.input.bucket.clone());
            input.set_key(object.key.clone());
            let input = input.build().map_err(S3Error::internal_error)?;
            match self.delete_object(local_request(input)).await {
                Ok(_) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            request_charged: None,
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let _guard = self.locks.lock(&req.input.bucket, &req.input.key).await;
        self.check_readable(&req.input.bucket, &req.input.key)?;
        self.files.get_object(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let _guard = self.locks.lock(&req.input.bucket, &req.input.key).await;
        self.check_readable(&req.input.bucket, &req.input.key)?;
        self.files.head_object(req).await
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let bucket = req.input.bucket.clone();
        let mut response = self.files.list_objects(req).await?;
        response.output.contents = self.add_etags(&bucket, response.output.contents.take()).await?;
        encoding::encode_list(&mut response.output);
        Ok(response)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = req.input.bucket.clone();
        let mut response = self.files.list_objects_v2(req).await?;
        let output = &mut response.output;
        output.contents = self.add_etags(&bucket, output.contents.take()).await?;
        let listed = output.contents.as_ref().map_or(0, Vec::len) + output.common_prefixes.as_ref().map_or(0, Vec::len);
        output.key_count = i32::try_from(listed).ok();
        encoding::encode_list_v2(output);
        Ok(response)
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.check_bucket(&req.input.bucket)?;
        // s3s-fs would delete the objects along with it.
        let objects = all_files(&self.root.join(&req.input.bucket)).map_err(S3Error::internal_error)?;
        if !objects.is_empty() {
            return Err(s3_error!(BucketNotEmpty));
        }
        self.files.delete_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn get_bucket_location(&self, req: S3Request<GetBucketLocationInput>) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.files.get_bucket_location(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.check_target(&req.input.bucket, &req.input.key, Upload::InParts)?;
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(req).await
    }

    async fn upload_part_copy(&self, req: S3Request<UploadPartCopyInput>) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.files.upload_part_copy(req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.files.list_parts(req).await
    }

    async fn abort_multipart_upload(&self, req: S3Request<AbortMultipartUploadInput>) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(req).await
    }
}
