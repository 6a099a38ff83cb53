"""A deployed site, read through the service APIs."""

from e2e.stack import Json, Stack


class Frontend(Stack):
    """The resources that the stack of the frontend created."""

    @property
    def bucket(self) -> str:
        """Name of the bucket that CloudFront serves."""
        return self.id_of("AWS::S3::Bucket")

    @property
    def distribution(self) -> Json:
        """The distribution."""
        id = self.id_of("AWS::CloudFront::Distribution")
        return dict(self.cloud.client("cloudfront").get_distribution(Id=id)["Distribution"])

    def files(self) -> dict[str, str]:
        """Return the files that are served, by their paths."""
        s3 = self.cloud.client("s3")
        found = s3.list_objects_v2(Bucket=self.bucket, Prefix="site/").get("Contents", [])
        return {
            item["Key"].removeprefix("site/"): s3.get_object(Bucket=self.bucket, Key=item["Key"])[
                "Body"
            ]
            .read()
            .decode()
            for item in found
        }
